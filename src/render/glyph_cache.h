// GlyphCache: coverage bitmaps of glyphs at one size and four horizontal sub-pixel phases, as poppler's Splash makes them.
#pragma once

#include <cstdint>
#include <vector>

#include "render/font_face.h"

namespace glyph {

// Coverage rows in a form ready for blending: 255 - alpha, rows padded with 255 to a multiple of 8.
struct GlyphBitmap {
  int16_t left = 0;    // from the pen's pixel to the first column
  int16_t top = 0;     // from the baseline up to the first row
  int16_t width = 0, height = 0;
  int16_t stride = 0;  // bytes a row
  size_t offset = 0;   // of the first row in the cache's store
  bool empty() const { return width == 0; }
};

// One thread at a time.
class GlyphCache {
 public:
  // `size`: font size in pixels.
  GlyphCache(FontFace& face, double size);

  // The rows of the bitmap stay where they are until the next call of get().
  GlyphBitmap get(uint32_t glyph_phase) {
    const uint32_t known = index_[glyph_phase];
    return bitmaps_[known != 0 ? known : make(glyph_phase)];
  }

  const uint8_t* rows(const GlyphBitmap& bitmap) const { return store_.data() + bitmap.offset; }

 private:
  uint32_t make(uint32_t glyph_phase);
  void drop_all();

  FontFace& face_;
  int pixel_size_;           // what FreeType is set to; the matrix does the rest
  long matrix_scale_;        // 16.16
  bool has_phases_;          // large glyphs are drawn at whole pixels
  std::vector<uint32_t> index_;        // glyph_phase -> place in bitmaps_, 0 = not made yet
  std::vector<GlyphBitmap> bitmaps_;   // [0] is unused
  std::vector<uint8_t> store_;
};

}  // namespace glyph
