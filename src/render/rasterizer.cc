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

uint8_t round_255(int x) { return static_cast<uint8_t>((x + (x >> 8) + 0x80) >> 8); }

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
  // The first op paints the page's background.
  const PaintOp& first = plan.ops.front();
  painted_width_ = std::min(first.x1, width_);
  painted_height_ = std::min(first.y1, height_);
  const size_t bare = static_cast<size_t>(width_ - painted_width_) * height_ +
                      static_cast<size_t>(width_) * (height_ - painted_height_);
  paper_alpha_.assign(bare, 0);
  if (bare > 0) {
    for (int y = 0; y < height_; ++y) {
      const size_t begin = static_cast<size_t>(y < painted_height_ ? painted_width_ : 0) * channels_;
      std::memset(row(y) + begin, 255, stride_ - begin);
    }
  }
  background_ = first.color;
  ink_ = {};
}

uint8_t& Rasterizer::paper_alpha(int x, int y) {
  const int columns = width_ - painted_width_;
  if (x >= painted_width_) return paper_alpha_[static_cast<size_t>(y) * columns + (x - painted_width_)];
  return paper_alpha_[static_cast<size_t>(columns) * height_ + static_cast<size_t>(y - painted_height_) * width_ + x];
}

// Lays the page over white paper, as poppler does at the end.
void Rasterizer::settle_paper() {
  if (paper_alpha_.empty()) return;
  for (int y = 0; y < height_; ++y) {
    for (int x = y < painted_height_ ? painted_width_ : 0; x < width_; ++x) {
      const int alpha = paper_alpha(x, y);
      uint8_t* to = row(y) + static_cast<size_t>(x) * channels_;
      for (int c = 0; c < channels_; ++c) to[c] = round_255((255 - alpha) * 255 + alpha * to[c]);
    }
  }
}

void Rasterizer::blend_pixel(int x, int y, Color color, int alpha) {
  if (alpha == 0) return;
  const uint8_t source[3] = {color.r, color.g, color.b};
  uint8_t* to = row(y) + static_cast<size_t>(x) * channels_;
  if (!is_paper(x, y)) {
    for (int c = 0; c < channels_; ++c) to[c] = blend(to[c], source[c], 255 - alpha);
    return;
  }
  uint8_t& below = paper_alpha(x, y);
  const int result = alpha + below - round_255(alpha * below);
  for (int c = 0; c < channels_; ++c) to[c] = static_cast<uint8_t>(((result - alpha) * to[c] + alpha * source[c]) / result);
  below = static_cast<uint8_t>(result);
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
    if (is_background && clean_[y] && x1 <= painted_width_) continue;
    fill_row(y, x0, x1, op.color);
    clean_[y] = is_background && x0 == 0 && x1 >= painted_width_;
    for (int x = y < painted_height_ ? std::max(x0, painted_width_) : x0; x < x1; ++x) paper_alpha(x, y) = 255;
  }
  if (!is_background) {
    ink_.right = std::max(ink_.right, x1);
    ink_.bottom = std::max(ink_.bottom, y1);
  }
}

void Rasterizer::paint_sliver(const PaintOp& op) {
  const int x0 = std::max(op.x0, 0), x1 = std::min(op.x1, width_ * 4);
  const int y0 = std::max(op.y0, 0), y1 = std::min(op.y1, height_ * 4);
  if (x0 >= x1 || y0 >= y1) return;
  const auto covered = [](int pixel, int begin, int end) {
    return std::min(end, pixel * 4 + 4) - std::max(begin, pixel * 4);
  };
  for (int y = y0 / 4; y * 4 < y1; ++y) {
    for (int x = x0 / 4; x * 4 < x1; ++x) blend_pixel(x, y, op.color, aa_gamma(covered(x, x0, x1) * covered(y, y0, y1)));
    if (op.color != background_) clean_[y] = 0;
  }
  if (op.color == background_) return;
  ink_.right = std::max(ink_.right, (x1 + 3) / 4);
  ink_.bottom = std::max(ink_.bottom, (y1 + 3) / 4);
}

template <int kChannels>
void Rasterizer::paint_glyphs_clipped(const GlyphBitmap& bitmap, int x, int y, Color color) {
  const int x0 = std::max(x, 0), x1 = std::min(x + bitmap.width, width_);
  const int y0 = std::max(y, 0), y1 = std::min(y + bitmap.height, height_);
  if (x1 > painted_width_ || y1 > painted_height_) {
    for (int at_y = y0; at_y < y1; ++at_y) {
      const uint8_t* from = cache_.rows(bitmap) + static_cast<size_t>(at_y - y) * bitmap.stride;
      for (int at_x = x0; at_x < x1; ++at_x) blend_pixel(at_x, at_y, color, 255 - from[at_x - x]);
    }
    return;
  }
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
    const bool inside =
        x >= 0 && y >= 0 && x + bitmap.stride <= painted_width_ && y + bitmap.height <= painted_height_;
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

void Rasterizer::copy_image(int width, int height, Image& image) {
  image.width = width;
  image.height = height;
  image.channels = channels_;
  const size_t bytes = static_cast<size_t>(width) * channels_;
  image.pixels.clear();
  image.pixels.reserve(bytes * height);
  for (int y = 0; y < height; ++y) image.pixels.insert(image.pixels.end(), row(y), row(y) + bytes);
}

void Rasterizer::finish(const PagePlan& plan, Page& page) {
  const bool crop_width = style_.auto_crop_width;
  const bool crop_bottom = style_.auto_crop_last_page && plan.is_last;
  const bool scaled = style_.horizontal_scale != 1.0;
  if (scaled) {
    const int width = std::max(1, static_cast<int>(width_ * style_.horizontal_scale));
    Image whole;
    copy_image(width_, height_, whole);
    page.image = scale_width(whole, width);
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
    const bool even = paper_alpha_.empty() || background_ == Color{255, 255, 255};
    const bool known = !scaled && even && clean_[0] && (height_ < 2 || clean_[1]);
    const InkExtent ink = find_ink(pixels, stride, width, height, channels_, known ? ink_.right : width,
                                   known ? ink_.bottom : height);
    if (crop_width && ink.right > 0) width = cropped_width(width, ink.right, style_.margin_x);
    if (crop_bottom && ink.bottom > 0) height = cropped_height(height, ink.bottom, style_.margin_y);
  }
  if (!scaled) {
    copy_image(width, height, page.image);
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

void Rasterizer::paint(PagePlan& plan, Page& page) {
  start(plan);
  for (const PaintOp& op : plan.ops) {
    switch (op.kind) {
      case PaintOp::Kind::kBox: paint_box(op); break;
      case PaintOp::Kind::kSliver: paint_sliver(op); break;
      case PaintOp::Kind::kGlyphs: paint_glyphs(op, plan); break;
    }
  }
  settle_paper();
  page.lines.swap(plan.lines);
  plan.lines.clear();
  finish(plan, page);
}

}  // namespace glyph
