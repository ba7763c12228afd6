// How fast pages are drawn: the figures of `glyph bench render`.
#pragma once

#include <string>
#include <vector>

#include "glyph/status.h"

namespace glyph {

struct RenderBench {
  std::string name;             // "english", "chinese"
  std::string font;
  double dpi = 0;
  int num_pages = 0;            // drawn in all
  double characters_a_page = 0;
  double pages_a_second = 0;    // a second of one core's time, best of five rounds; cropped grey pages with line boxes, no PNG
};

// Draws made-up text for at least `seconds` per language.
Result<std::vector<RenderBench>> bench_render(double seconds = 1.0);

}  // namespace glyph
