#include "render/rasterizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "render/crop.h"

namespace glyph {

namespace {

constexpr size_t kRowPadding = 16;  // bytes past the last pixel that a blended row may touch

// floor(x / 255) for x <= 255 * 255.
template <typename T>
T divide_by_255(T x) {
  return (x + 1 + (x >> 8)) >> 8;
}

// Splash's coverage of n of 16 quarter pixels.
uint8_t aa_gamma(int n) { return static_cast<uint8_t>(std::floor(std::pow(n / 16.0, 1.5) * 255 + 0.5)); }

uint8_t blend(uint8_t below, uint8_t color, int keep) {
  return static_cast<uint8_t>(divide_by_255(keep * below + (255 - keep) * color));
}

}  // namespace

Rasterizer::Rasterizer(const PageStyle& style, std::unique_ptr<FontFace> face, bool is_color)
    : style_(style), face_(std::move(face)), cache_(*face_, style.font_size * (style.dpi / 72.0)),
      channels_(is_color ? 3 : 1), blend_black_(pick_blend_black()) {}

void Rasterizer::start(const PagePlan& plan) {
  width_ = plan.width;
  height_ = plan.height;
  stride_ = static_cast<size_t>(width_) * channels_ + kRowPadding;
  canvas_.resize(stride_ * height_);
  clean_.assign(static_cast<size_t>(height_), 0);
  // The first op paints the page's background; only a page of fractional size leaves paper (white) beside it.
  const PaintOp& first = plan.ops.front();
  if (first.x0 > 0 || first.y0 > 0 || first.x1 < width_ || first.y1 < height_) {
    std::fill(canvas_.begin(), canvas_.end(), 255);
  }
  background_ = first.color;
  ink_ = {};
}

void Rasterizer::fill_row(int y, int x0, int x1, Color color) {
  uint8_t* to = row(y) + static_cast<size_t>(x0) * channels_;
  if (channels_ == 1) {
    std::memset(to, color.r, static_cast<size_t>(x1 - x0));
    return;
  }
  for (int x = x0; x < x1; ++x, to += 3) {
    to[0] = color.r;
    to[1] = color.g;
    to[2] = color.b;
  }
}

void Rasterizer::paint_box(const PaintOp& op) {
  const int x0 = std::max(op.x0, 0), x1 = std::min(op.x1, width_);
  const int y0 = std::max(op.y0, 0), y1 = std::min(op.y1, height_);
  if (x0 >= x1 || y0 >= y1) return;
  const bool is_background = op.color == background_;
  for (int y = y0; y < y1; ++y) {
    if (is_background && clean_[y]) continue;
    fill_row(y, x0, x1, op.color);
    clean_[y] = is_background && x0 == 0 && x1 == width_;
  }
  if (!is_background) {
    ink_.right = std::max(ink_.right, x1);
    ink_.bottom = std::max(ink_.bottom, y1);
  }
}

void Rasterizer::paint_hairline(const PaintOp& op) {
  if (op.y0 < 0 || op.y0 >= height_) return;
  const int begin = std::max(op.x0, 0), end = std::min(op.x1, width_ * 4);
  for (int x = begin / 4; x * 4 < end; ++x) {
    const int covered = std::min(end, x * 4 + 4) - std::max(begin, x * 4);
    const int keep = 255 - aa_gamma(covered);
    uint8_t* to = row(op.y0) + static_cast<size_t>(x) * channels_;
    const uint8_t color[3] = {op.color.r, op.color.g, op.color.b};
    for (int c = 0; c < channels_; ++c) to[c] = blend(to[c], color[c], keep);
  }
  if (op.color == background_) return;
  clean_[op.y0] = 0;
  ink_.right = std::max(ink_.right, std::min(width_, (end + 3) / 4));
  ink_.bottom = std::max(ink_.bottom, op.y0 + 1);
}

template <int kChannels>
void Rasterizer::paint_glyphs_clipped(const GlyphBitmap& bitmap, int x, int y, Color color) {
  const int x0 = std::max(x, 0), x1 = std::min(x + bitmap.width, width_);
  const int y0 = std::max(y, 0), y1 = std::min(y + bitmap.height, height_);
  const uint8_t source[3] = {color.r, color.g, color.b};
  for (int at_y = y0; at_y < y1; ++at_y) {
    const uint8_t* from = cache_.rows(bitmap) + static_cast<size_t>(at_y - y) * bitmap.stride;
    uint8_t* to = row(at_y) + static_cast<size_t>(x0) * kChannels;
    for (int at_x = x0; at_x < x1; ++at_x, to += kChannels) {
      const int keep = from[at_x - x];
      if (keep == 255) continue;
      for (int c = 0; c < kChannels; ++c) to[c] = blend(to[c], source[c], keep);
    }
  }
}

void Rasterizer::paint_glyphs(const PaintOp& op, const PagePlan& plan) {
  const bool is_black = channels_ == 1 && op.color == Color{0, 0, 0};
  int top = op.y0, bottom = op.y0, right = ink_.right;
  for (uint32_t i = op.begin; i < op.end; ++i) {
    const GlyphDraw glyph = plan.glyphs[i];
    const GlyphBitmap bitmap = cache_.get(glyph.glyph_phase);
    if (bitmap.empty()) continue;
    const int x = glyph.x + bitmap.left, y = op.y0 - bitmap.top;
    top = std::min(top, y);
    bottom = std::max(bottom, y + bitmap.height);
    right = std::max(right, x + bitmap.width);
    const bool inside = x >= 0 && y >= 0 && x + bitmap.stride <= width_ && y + bitmap.height <= height_;
    if (is_black && inside) {
      blend_black_(row(y) + x, stride_, cache_.rows(bitmap), bitmap.height, bitmap.stride);
    } else if (channels_ == 1) {
      paint_glyphs_clipped<1>(bitmap, x, y, op.color);
    } else {
      paint_glyphs_clipped<3>(bitmap, x, y, op.color);
    }
  }
  ink_.right = std::min(right, width_);
  ink_.bottom = std::max(ink_.bottom, std::min(bottom, height_));
  for (int y = std::max(top, 0); y < std::min(bottom, height_); ++y) clean_[y] = 0;
}

Image Rasterizer::take_image(int width, int height) {
  Image image;
  image.width = width;
  image.height = height;
  image.channels = channels_;
  const size_t bytes = static_cast<size_t>(width) * channels_;
  image.pixels.reserve(bytes * height);
  for (int y = 0; y < height; ++y) image.pixels.insert(image.pixels.end(), row(y), row(y) + bytes);
  return image;
}

void Rasterizer::finish(const PagePlan& plan, Page& page) {
  const bool crop_width = style_.auto_crop_width;
  const bool crop_bottom = style_.auto_crop_last_page && plan.is_last;
  const bool scaled = style_.horizontal_scale != 1.0;
  if (scaled) {
    const int width = std::max(1, static_cast<int>(width_ * style_.horizontal_scale));
    page.image = scale_width(take_image(width_, height_), width);
    for (PageLine& line : page.lines) {
      line.x = static_cast<float>(line.x * style_.horizontal_scale);
      for (float& x : line.char_x) x = static_cast<float>(x * style_.horizontal_scale);
    }
    if (!crop_width && !crop_bottom) return;
  }
  int width = scaled ? page.image.width : width_, height = height_;
  if (crop_width || crop_bottom) {
    // The corner pixels usually are background, and then nothing beyond the ink can differ from them.
    const uint8_t* pixels = scaled ? page.image.pixels.data() : canvas_.data();
    const size_t stride = scaled ? static_cast<size_t>(width) * channels_ : stride_;
    const bool known = !scaled && clean_[0] && (height_ < 2 || clean_[1]) && plan.ops.front().x1 >= width_ &&
                       plan.ops.front().y1 >= height_;
    const InkExtent ink = find_ink(pixels, stride, width, height, channels_, known ? ink_.right : width,
                                   known ? ink_.bottom : height);
    if (crop_width && ink.right > 0) width = cropped_width(width, ink.right, style_.margin_x);
    if (crop_bottom && ink.bottom > 0) height = cropped_height(height, ink.bottom, style_.margin_y);
  }
  if (!scaled) {
    page.image = take_image(width, height);
    return;
  }
  Image cropped;
  cropped.width = width;
  cropped.height = height;
  cropped.channels = channels_;
  const size_t bytes = static_cast<size_t>(width) * channels_;
  for (int y = 0; y < height; ++y) {
    const uint8_t* from = page.image.pixels.data() + static_cast<size_t>(y) * page.image.width * channels_;
    cropped.pixels.insert(cropped.pixels.end(), from, from + bytes);
  }
  page.image = std::move(cropped);
}

Page Rasterizer::paint(PagePlan& plan) {
  start(plan);
  for (const PaintOp& op : plan.ops) {
    switch (op.kind) {
      case PaintOp::Kind::kBox: paint_box(op); break;
      case PaintOp::Kind::kHairline: paint_hairline(op); break;
      case PaintOp::Kind::kGlyphs: paint_glyphs(op, plan); break;
    }
  }
  Page page;
  page.lines = std::move(plan.lines);
  plan.lines.clear();
  finish(plan, page);
  return page;
}

}  // namespace glyph
