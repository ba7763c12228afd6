// ingest: bytes -> Document. The room's door.
//
// A file is recognised by its content first and its extension second (detect.h) and handed to one reader. Text, Markdown and
// HTML are read in this process; PDF and DOCX are opened only by the helper program glyph-extract, a sandboxed process of its
// own (extract_client.h). Text comes out as UTF-8 without NUL, with '\n' line ends and a blank line where a page ends.
//
// Every failure is one sentence that begins with the file's name:
//   kNotFound   there is no such file
//   kRefused    a directory, an empty file, an unknown or damaged or encrypted format, a limit passed (limits.h)
//   kDeadline   glyph-extract ran into its time limit
//   kCancelled  IngestOptions::stop was requested
//   kInternal   I/O, or glyph-extract is not there
// All functions may be called from any thread, also at once. The calling thread must live until the call returns: the helper
// dies with it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>
#include <string_view>

#include "glyph/document.h"
#include "glyph/status.h"
#include "ingest/limits.h"

namespace glyph {

struct IngestOptions {
  IngestLimits limits;
  std::filesystem::path helper;  // glyph-extract; empty: $GLYPH_EXTRACT, or else `glyph-extract` beside the running program
  int num_helpers = 0;           // processes a large PDF is split over; 0: one a core, at most 4
  std::stop_token stop;          // request_stop() ends the call, and the helper, within 50 ms
  // Called on the calling thread as pages of a PDF arrive; num_pages is 0 while unknown.
  std::function<void(size_t pages_read, size_t num_pages)> on_progress;
};

// One file. Document::name is the file's name without its folder.
Result<Document> read_document(const std::filesystem::path& path, const IngestOptions& options = {});

// Several files as one document: each file's text under a line with its name. One file gives what read_document gives. The
// format is that of the files when they share one, else "mixed". The first failure is returned.
Result<Document> read_documents(std::span<const std::filesystem::path> paths, const IngestOptions& options = {});

// Bytes that came without a file (an upload). `name` is used in messages and for its extension; folders in it are dropped.
Result<Document> read_bytes(std::string_view name, std::string_view bytes, const IngestOptions& options = {});

// Where read_document looks for glyph-extract under these options; the file need not exist.
std::filesystem::path find_extract_helper(const IngestOptions& options);

}  // namespace glyph
