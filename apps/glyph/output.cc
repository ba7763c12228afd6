#include "output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/utf8.h"

namespace glyph {

Status write_stdout(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() || std::fflush(stdout) != 0) {
    return internal_error(fmt::format("stdout: cannot be written: {}", std::strerror(errno)));
  }
  return {};
}

Status write_answer(std::string_view text) {
  if (isatty(STDOUT_FILENO) != 1) return write_stdout(text);
  std::string safe;
  for (size_t offset = 0; offset < text.size();) {
    const CodePoint point = decode_utf8(text, offset);
    offset += point.length;
    const bool control = (point.value < 0x20 && point.value != '\n' && point.value != '\t') || (point.value >= 0x7F && point.value < 0xA0);
    append_utf8(safe, control ? kReplacementCharacter : point.value);
  }
  return write_stdout(safe);
}

void show_progress_of(IngestOptions& options, ProgressLine& progress) {
  options.on_progress = [&progress](size_t read, size_t total) {
    progress.update(total == 0 ? fmt::format("reading: {} pages", read) : fmt::format("reading: {} of {} pages", read, total));
  };
}

}  // namespace glyph
