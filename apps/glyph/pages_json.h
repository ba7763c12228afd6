// pages.json: what `glyph render` says about the pages it wrote.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "glyph/page.h"

namespace glyph {

struct PageRecord {
  std::string file;  // "page_001.png"
  int width = 0;     // pixels
  int height = 0;
  int channels = 1;
  std::optional<int64_t> image_tokens;
  std::vector<PageLine> lines;
};

struct PagesReport {
  std::string document;
  std::string format;
  std::string style_json;  // PageStyle::canonical_json()
  std::string font;
  double dpi = 0;
  size_t text_chars = 0;               // Unicode code points of Document::text()
  std::optional<int64_t> text_tokens;  // with a model
  std::vector<PageRecord> pages;
  std::vector<std::string> warnings;
};

std::string pages_json(const PagesReport& report);

}  // namespace glyph
