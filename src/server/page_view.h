// What the page shows of a document: its pages as pictures, and where words stand on them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "glyph/page.h"
#include "glyph/status.h"
#include "schedule/request.h"

namespace glyph {

// Page `number`, from 1. kNotFound when there is none of that number.
Result<Page> draw_page(const Source& source, size_t number);

struct QuoteBox {
  size_t page = 0;  // from 1
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;  // pixels
};
struct QuoteMatch {
  std::string quote;
  bool found = false;
  std::vector<QuoteBox> boxes;  // one a line
};
// The first place of each quote; white space does not matter.
Result<std::vector<QuoteMatch>> find_quotes(const Source& source, const std::vector<std::string>& quotes);

}  // namespace glyph
