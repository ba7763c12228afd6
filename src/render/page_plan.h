// PagePlan: everything that is to be painted on one page, in order, in device pixels. Layout makes it, the rasterizer paints it.
#pragma once

#include <cstdint>
#include <vector>

#include "glyph/page.h"
#include "glyph/page_style.h"

namespace glyph {

// A glyph at a sub-pixel phase: glyph index * 4 + quarter pixel.
struct GlyphDraw {
  uint32_t glyph_phase;
  int32_t x;  // pixel of the pen
};

struct PaintOp {
  enum class Kind : uint8_t {
    kBox,       // [x0, x1) x [y0, y1), whole pixels
    kSliver,    // the same in quarter pixels: a box of no height, which poppler does not round
    kGlyphs,    // glyphs [begin, end) on the baseline y0
  };
  Kind kind = Kind::kBox;
  Color color;
  int x0 = 0, x1 = 0, y0 = 0, y1 = 0;
  uint32_t begin = 0, end = 0;
};

struct PagePlan {
  int width = 0, height = 0;  // pixels, before scaling and cropping
  std::vector<PaintOp> ops;
  std::vector<GlyphDraw> glyphs;
  std::vector<PageLine> lines;
  bool is_last = false;       // of its story: the bottom may be cropped

  void clear() {
    ops.clear();
    glyphs.clear();
    lines.clear();
    is_last = false;
  }
};

}  // namespace glyph
