#include "render/glyph_cache.h"

#include <ft2build.h>

#include <algorithm>
#include <cmath>
#include FT_FREETYPE_H

#include "base/check.h"

namespace glyph {

namespace {

constexpr int kMaxPhasedHeight = 50;          // Splash: no sub-pixel phases for fonts whose box is taller, pixels
constexpr size_t kMaxStore = 64u << 20;       // bytes; beyond it the cache starts anew

// Splash's height of a glyph box: the font's bounding box at this size, plus padding.
int box_height(FT_Face face, double size) {
  const int divisor = face->bbox.xMax > 20000 ? 65536 : 1;
  const double unit = static_cast<double>(divisor) * face->units_per_EM;
  const int low = static_cast<int>(size * face->bbox.yMin / unit);
  const int high = static_cast<int>(size * face->bbox.yMax / unit);
  int y_min = std::min(low, high), y_max = std::max(low, high);
  if (y_min == y_max) {
    y_min = 0;
    y_max = static_cast<int>(1.2 * std::floor(size + 0.5));
  }
  return y_max - y_min + 3;
}

}  // namespace

GlyphCache::GlyphCache(FontFace& face, double size) : face_(face) {
  pixel_size_ = std::max(1, static_cast<int>(std::floor(std::sqrt(size * size) + 0.5)));
  FT_Set_Pixel_Sizes(face.get(), 0, static_cast<FT_UInt>(pixel_size_));
  matrix_scale_ = static_cast<long>((size / pixel_size_) * 65536);
  has_phases_ = box_height(face.get(), size) <= kMaxPhasedHeight;
  index_.resize(static_cast<size_t>(face.num_glyphs()) * 4);
  bitmaps_.resize(1);
}

void GlyphCache::drop_all() {
  std::fill(index_.begin(), index_.end(), 0);
  bitmaps_.resize(1);
  store_.clear();
}

uint32_t GlyphCache::make(uint32_t glyph_phase) {
  GLYPH_CHECK(glyph_phase < index_.size());
  if (store_.size() > kMaxStore) drop_all();
  const uint32_t phase = has_phases_ ? glyph_phase & 3 : 0;
  if (phase != (glyph_phase & 3)) {
    const uint32_t whole = glyph_phase & ~3u;
    const uint32_t number = index_[whole] != 0 ? index_[whole] : make(whole);
    index_[glyph_phase] = number;
    return number;
  }
  const uint32_t number = static_cast<uint32_t>(bitmaps_.size());
  index_[glyph_phase] = number;
  GlyphBitmap& bitmap = bitmaps_.emplace_back();

  FT_Face face = face_.get();
  FT_Matrix matrix = {matrix_scale_, 0, 0, matrix_scale_};
  FT_Vector offset = {static_cast<FT_Pos>(phase) * 16, 0};
  FT_Set_Transform(face, &matrix, &offset);
  const bool drawn = FT_Load_Glyph(face, glyph_phase >> 2, FT_LOAD_NO_HINTING | FT_LOAD_NO_BITMAP) == 0 &&
                     FT_Render_Glyph(face->glyph, FT_RENDER_MODE_NORMAL) == 0;
  FT_Set_Transform(face, nullptr, nullptr);
  const FT_Bitmap& source = face->glyph->bitmap;
  constexpr unsigned kMaxSide = 16'384;  // pixels; no page is larger
  if (!drawn || source.width == 0 || source.rows == 0 || source.width > kMaxSide || source.rows > kMaxSide) return number;
  bitmap.left = static_cast<int16_t>(face->glyph->bitmap_left);
  bitmap.top = static_cast<int16_t>(face->glyph->bitmap_top);
  bitmap.width = static_cast<int16_t>(source.width);
  bitmap.height = static_cast<int16_t>(source.rows);
  bitmap.stride = static_cast<int16_t>((source.width + 7) / 8 * 8);
  bitmap.offset = store_.size();
  store_.resize(store_.size() + static_cast<size_t>(bitmap.stride) * bitmap.height, 255);
  for (int y = 0; y < bitmap.height; ++y) {
    const uint8_t* from = source.buffer + static_cast<ptrdiff_t>(y) * source.pitch;
    uint8_t* to = store_.data() + bitmap.offset + static_cast<size_t>(y) * bitmap.stride;
    for (int x = 0; x < bitmap.width; ++x) to[x] = static_cast<uint8_t>(255 - from[x]);
  }
  return number;
}

}  // namespace glyph
