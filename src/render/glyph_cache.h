// GlyphCache: coverage bitmaps of glyphs at one size and four horizontal sub-pixel phases, as poppler's Splash makes them.
#pragma once

#include <cstdint>
#include <vector>

#include "render/font_face.h"

namespace glyph {

// Coverage rows in a form ready for blending: 255 - alpha as 16-bit numbers, rows padded with 255 to a multiple of 8.
struct GlyphBitmap {
  int16_t left = 0;    // from the pen's pixel to the first column
  int16_t top = 0;     // from the baseline up to the first row
  int16_t width = 0, height = 0;
  int16_t stride = 0;  // elements a row
  size_t offset = 0;   // of the first row in the cache's store
  bool empty() const { return width == 0; }
};

// One thread at a time.
class GlyphCache {
 public:
  // `size`: font size in pixels.
  GlyphCache(FontFace& face, double size);

  // The bitmap is valid until the next call of get().
  const GlyphBitmap& get(uint32_t glyph_phase) {
    const uint32_t known = index_[glyph_phase];
    return known != 0 ? bitmaps_[known] : make(glyph_phase);
  }

  const uint16_t* rows(const GlyphBitmap& bitmap) const { return store_.data() + bitmap.offset; }
  uint32_t num_entries() const { return static_cast<uint32_t>(index_.size()); }

 private:
  const GlyphBitmap& make(uint32_t glyph_phase);
  void drop_all();

  FontFace& face_;
  int pixel_size_;           // what FreeType is set to; the matrix does the rest
  long matrix_scale_;        // 16.16
  bool has_phases_;          // large glyphs are drawn at whole pixels
  std::vector<uint32_t> index_;        // glyph_phase -> place in bitmaps_, 0 = not made yet
  std::vector<GlyphBitmap> bitmaps_;   // [0] is unused
  std::vector<uint16_t> store_;
};

}  // namespace glyph
