// Rasterizer: PagePlan -> pixels, scaled and cropped like the published pages.
#pragma once

#include <cstdint>
#include <vector>

#include "glyph/page.h"
#include "glyph/page_style.h"
#include "render/blend.h"
#include "render/glyph_cache.h"
#include "render/page_plan.h"

namespace glyph {

// One thread at a time: it keeps a canvas and a glyph cache between pages.
class Rasterizer {
 public:
  // `is_color`: pages are RGB, else grey. The face is the rasterizer's own.
  Rasterizer(const PageStyle& style, std::unique_ptr<FontFace> face, bool is_color);

  // Paints, scales, crops. Takes the plan's line boxes; overwrites `page`, whose memory it uses again.
  void paint(PagePlan& plan, Page& page);

 private:
  struct Ink {  // nothing beyond these differs from the page's background
    int right = 0, bottom = 0;
  };

  void start(const PagePlan& plan);
  void paint_box(const PaintOp& op);
  void paint_sliver(const PaintOp& op);
  void paint_glyphs(const PaintOp& op, const PagePlan& plan);
  template <int kChannels>
  void paint_glyphs_clipped(const GlyphBitmap& bitmap, int x, int y, Color color);
  void blend_pixel(int x, int y, Color color, int alpha);
  bool is_paper(int x, int y) const { return x >= painted_width_ || y >= painted_height_; }
  uint8_t& paper_alpha(int x, int y);
  void settle_paper();
  void fill_row(int y, int x0, int x1, Color color);
  uint8_t* row(int y) { return canvas_.data() + static_cast<size_t>(y) * stride_; }
  void copy_image(int width, int height, Image& image);
  void finish(const PagePlan& plan, Page& page);

  PageStyle style_;
  std::unique_ptr<FontFace> face_;
  GlyphCache cache_;
  int channels_;
  BlendBlack blend_black_;
  int width_ = 0, height_ = 0;     // pixels
  size_t stride_ = 0;              // bytes a row, padded so that a row of 8 pixels may be written past the right edge
  // A page of fractional size has a last column or row that its background does not reach: bare paper, where poppler keeps an
  // alpha of its own. [0, painted) is background.
  int painted_width_ = 0, painted_height_ = 0;
  std::vector<uint8_t> paper_alpha_;  // the columns from painted_width_ on, then the rows from painted_height_ on
  std::vector<uint8_t> canvas_;
  std::vector<uint8_t> clean_;     // by row: 1 while it holds nothing but `background_`
  Color background_;
  Ink ink_;
};

}  // namespace glyph
