#include "output.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace glyph {

Status write_stdout(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() || std::fflush(stdout) != 0) {
    return internal_error(fmt::format("stdout: cannot be written: {}", std::strerror(errno)));
  }
  return {};
}

void show_progress_of(IngestOptions& options, ProgressLine& progress) {
  options.on_progress = [&progress](size_t read, size_t total) {
    progress.update(total == 0 ? fmt::format("reading: {} pages", read) : fmt::format("reading: {} of {} pages", read, total));
  };
}

}  // namespace glyph
