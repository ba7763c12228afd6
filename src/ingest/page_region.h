// The parts of page_layout.h's work that look at one column: words -> segments -> lines -> paragraphs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ingest/page_layout.h"

namespace glyph {

// Words that stand side by side on one line without a wide gap: a line of a column, or a cell of a table.
struct PageSegment {
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;  // points
  float first_word = 0;                  // width of the first word, points
  bool last_is_long = false;             // its last word has more than one character
  std::string text;

  float height() const { return y1 - y0; }
};

// Unrotated words only, in their order.
std::vector<PageSegment> make_segments(const std::vector<PageWord>& words);

float median_height(const std::vector<PageSegment>& segments);

// Appends the lines of one column, paragraphs joined. `segments` are sorted by y0.
void write_column(const std::vector<PageSegment>& segments, std::string& out);

// U+FB00 to U+FB06 spelled out.
std::string expand_ligatures(std::string_view text);

}  // namespace glyph
