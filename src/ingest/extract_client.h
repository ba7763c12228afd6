// The parent's side of glyph-extract: start it, feed it an open file, collect its frames, kill it when it is late.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "glyph/document.h"
#include "glyph/status.h"
#include "ingest/detect.h"
#include "ingest/ingest.h"

namespace glyph {

// Reads an open PDF or DOCX of `file_bytes` bytes. Messages begin with `name`. A large PDF is read by several helpers at once,
// each a run of consecutive pages.
Result<Document> extract_document(std::string_view name, Format format, int input_fd, size_t file_bytes,
                                  const IngestOptions& options);

// What `glyph-extract --self-check` found after locking itself down, each by trying what must not work.
struct SandboxReport {
  bool no_new_privileges = false;
  bool limits = false;        // memory, CPU, file size, processes
  bool seccomp = false;       // sockets, new processes and writing files are denied
  bool landlock = false;      // files outside the font and poppler-data folders cannot be opened
  int landlock_abi = 0;       // 0: the kernel has none
  bool poppler_data = false;  // encoding tables for Chinese, Japanese and Korean PDFs are installed
  std::string poppler;        // its version
};

// Runs the helper's self-check. kInternal when the helper is missing or does not answer within 10 s.
Result<SandboxReport> check_extract_helper(const IngestOptions& options = {});

}  // namespace glyph
