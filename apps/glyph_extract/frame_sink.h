// FrameSink: writes what a reader finds to stdout as frames (ingest/extract_protocol.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "glyph/document.h"
#include "glyph/status.h"

namespace glyph {

// Gathers small frames and writes them together. A parent that is gone ends the process.
class FrameSink {
 public:
  explicit FrameSink(int fd) : fd_(fd) {}

  void pages(uint32_t num_pages, uint32_t num_here);
  void text(std::string_view utf8);
  void page_end();
  void image(const Image& image);
  void warning(std::string_view sentence);
  void finish(const Status& status);  // the last call

 private:
  void put(std::string_view frame);
  void flush();

  int fd_;
  std::string pending_;
};

}  // namespace glyph
