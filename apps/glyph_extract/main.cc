// glyph-extract: opens one hostile document in a locked process and sends its text to stdout as frames.
//
//   glyph-extract pdf|docx [name=number ...] < FILE     see ingest/extract_protocol.h
//   glyph-extract --self-check                          which walls hold on this machine
//
// This executable links poppler and is therefore, as a whole, under the GNU General Public License, version 2 or later; our own
// source files in it are under the Apache License 2.0 like the rest of the repository and may be used so elsewhere.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glyph_extract/frame_sink.h"
#include "glyph_extract/pdf_reader.h"
#include "glyph_extract/sandbox.h"
#include "ingest/docx.h"
#include "ingest/extract_protocol.h"

namespace glyph {
namespace {

// The file on stdin, mapped for the life of the process.
Result<std::string_view> map_input(size_t max_bytes) {
  struct stat info {};
  if (::fstat(STDIN_FILENO, &info) != 0 || !S_ISREG(info.st_mode)) return refused("the input is not a regular file");
  const size_t size = static_cast<size_t>(info.st_size);
  if (size == 0) return refused("the file is empty");
  if (size > max_bytes) return refused(fmt::format("the file has {} bytes, the limit is {}", size, max_bytes));
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
  if (data == MAP_FAILED) return internal_error("the input cannot be mapped");
  ::close(STDIN_FILENO);
  return std::string_view(static_cast<const char*>(data), size);
}

Status send_docx(std::string_view bytes, const IngestLimits& limits, FrameSink& sink) {
  GLYPH_ASSIGN_OR_RETURN(const DocxText docx, read_docx(bytes, limits));
  sink.pages(1, 1);
  sink.text(docx.text);
  for (const std::string& warning : docx.warnings) sink.warning(warning);
  sink.page_end();
  return {};
}

Status extract(const ExtractRequest& request, FrameSink& sink) {
  const IngestLimits& limits = request.limits;
  GLYPH_RETURN_IF_ERROR(bind_to_parent(request.parent));
  GLYPH_ASSIGN_OR_RETURN(const std::string_view bytes, map_input(limits.file_bytes));
  GLYPH_RETURN_IF_ERROR(apply_limits({.memory_bytes = limits.helper_memory, .cpu_seconds = limits.helper_seconds}));
  if (request.format == "pdf") warm_up_pdf();
  GLYPH_RETURN_IF_ERROR(lock_down());
  return request.format == "pdf" ? read_pdf(bytes, request, sink) : send_docx(bytes, limits, sink);
}

// As extract(); memory that runs out becomes the message the parent looks for.
Status extract_guarded(const ExtractRequest& request, FrameSink& sink) {
  try {
    return extract(request, sink);
  } catch (const std::bad_alloc&) {
    return refused(fmt::format("reading it needs more than the limit of {} MiB of memory", request.limits.helper_memory >> 20));
  } catch (const std::exception& error) {
    return refused(fmt::format("the file is damaged: {}", error.what()));
  }
}

int self_check() {
  const IngestLimits defaults;
  const SandboxLimits limits{.memory_bytes = defaults.helper_memory, .cpu_seconds = defaults.helper_seconds};
  const int abi = landlock_abi();
  warm_up_pdf();
  Status status = bind_to_parent(0);
  if (status.ok()) status = apply_limits(limits);
  if (status.ok()) status = lock_down();
  if (!status.ok()) {
    fmt::print(stderr, "{}\n", status.message());
    return 1;
  }
  const bool has_data = ::access("/usr/share/poppler/cMap", R_OK) == 0;
  fmt::print("no_new_privileges active\n{}landlock_abi {}\npoppler {}\npoppler_data {}\n", describe_walls(limits), abi,
             poppler_version(), has_data ? "active" : "inactive");
  std::fflush(stdout);
  return 0;
}

int run(std::span<const std::string> arguments) {
  if (!arguments.empty() && arguments[0] == "--self-check") return self_check();
  const auto request = ExtractRequest::from_arguments(arguments);
  if (!request) {
    fmt::print(stderr, "glyph-extract: {}\nusage: glyph-extract pdf|docx [name=number ...] < FILE\n", request.status().message());
    return 2;
  }
  FrameSink sink(STDOUT_FILENO);
  const Status status = extract_guarded(*request, sink);
  sink.finish(status);
  return status.ok() ? 0 : 3;
}

}  // namespace
}  // namespace glyph

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const int code = glyph::run(arguments);
  ::_exit(code);  // destructors of a damaged document are a risk without a use
}
