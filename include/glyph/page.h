// Page: what render produces and vision reads.
#pragma once

#include <cstddef>
#include <vector>

#include "glyph/document.h"

namespace glyph {

// One drawn line of text: where it stands on the page and which bytes of the document's text it shows.
struct PageLine {
  size_t text_begin = 0;  // byte offsets into Document::text(), half open
  size_t text_end = 0;
  float x = 0;            // left end of the line's first glyph, pixels
  float top = 0;          // top and bottom of the line box, pixels
  float bottom = 0;
  std::vector<float> char_x;  // pen position before each Unicode code point of the range, plus the end position, pixels
};

struct Page {
  Image image;                  // grey, after cropping; a picture page may be RGB
  std::vector<PageLine> lines;  // empty for a picture page
};

}  // namespace glyph
