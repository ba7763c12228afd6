// What glyph-extract and its parent say to each other: arguments one way, frames on stdout the other.
//
// A frame is one byte type, four bytes length (little endian), payload. The helper is sandboxed because its input is hostile,
// so its output is treated as hostile too: FrameParser checks every length against the limits before it keeps a byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/document.h"
#include "glyph/status.h"
#include "ingest/limits.h"

namespace glyph {

enum class FrameType : uint8_t {
  kPages = 'P',    // u32 pages of the document, u32 pages this helper reads
  kText = 'T',     // UTF-8, appended to the current page; a character may be split over two frames
  kPageEnd = 'E',  // empty; closes the current page
  kImage = 'I',    // u32 width, u32 height, u8 channels, pixels: a picture of its own
  kWarning = 'W',  // one sentence without the file's name
  kError = 'X',    // u8 StatusCode, one sentence without the file's name; the last frame
  kDone = 'D',     // empty; the last frame
};

constexpr size_t kFrameHeaderBytes = 5;
constexpr size_t kMaxTextFrame = 1 << 20;     // bytes of one kText payload
constexpr size_t kMaxMessage = 1024;          // bytes of one warning or error
constexpr size_t kMaxWarnings = 100;

// What the parent asks of one helper, as its argument list.
struct ExtractRequest {
  std::string format;    // "pdf" or "docx"
  int part = 0;          // this helper reads slice `part` of `num_parts` equal slices of the pages
  int num_parts = 1;
  int parent = 0;        // process id; the helper ends when that is not its parent. 0: not checked
  IngestLimits limits;

  std::vector<std::string> to_arguments() const;                                     // without the program's name
  static Result<ExtractRequest> from_arguments(std::span<const std::string> arguments);  // kUsage
};

// The frame's bytes, header included.
std::string encode_frame(FrameType type, std::string_view payload);
std::string encode_pages(uint32_t num_pages, uint32_t num_here);
std::string encode_image(const Image& image);
std::string encode_error(const Status& status);

// What one helper sent.
struct ExtractOutput {
  size_t num_pages = 0;       // of the whole document
  size_t pages_read = 0;      // kPageEnd frames so far
  std::vector<Block> blocks;  // one kText a page, pictures between them
  std::vector<std::string> warnings;
  Status error;               // the helper's own refusal
  bool complete = false;      // kDone or kError has come
};

// Parses frames as bytes arrive. One object, one thread.
class FrameParser {
 public:
  explicit FrameParser(const IngestLimits& limits) : limits_(limits) {}

  // kInternal for bytes that are no frame, kRefused for a limit; after an error the parser must not be fed again.
  Status feed(std::span<const uint8_t> bytes);

  const ExtractOutput& output() const { return output_; }
  ExtractOutput take() { return std::move(output_); }

 private:
  Status check_header(uint8_t type, size_t length) const;
  Status accept(FrameType type, std::string_view payload);
  Status accept_text(std::string_view payload);
  Status accept_image(std::string_view payload);
  void close_page();

  IngestLimits limits_;
  std::string buffer_;      // an unfinished frame
  std::string page_;        // text of the current page
  size_t text_bytes_ = 0;   // of all pages
  size_t image_bytes_ = 0;  // of all pictures
  ExtractOutput output_;
};

}  // namespace glyph
