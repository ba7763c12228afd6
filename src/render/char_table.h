// CharTable: the characters of a document as small numbers ("slots") with their widths.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "render/font_face.h"

namespace glyph {

constexpr uint32_t kSpaceSlot = 0;
constexpr uint32_t kNbspSlot = 1;  // measured and drawn like a space, never broken at

// Grows as characters are met. One thread at a time.
class CharTable {
 public:
  // `font_size` in points.
  CharTable(const FontFace& face, double font_size);

  uint32_t slot(uint32_t code_point) {
    if (code_point < ascii_.size()) {
      if (ascii_[code_point] != kNoSlot) return ascii_[code_point];
    } else if (code_point < kNumCodePoints) {
      const Leaf* leaf = leaves_[code_point >> 8].get();
      if (leaf && (*leaf)[code_point & 0xFF] > kToNotice) return (*leaf)[code_point & 0xFF] - kToNotice - 1;
    }
    return slot_of_other(code_point);
  }

  uint32_t code_point(uint32_t slot) const { return codes_[slot]; }
  uint32_t glyph(uint32_t slot) const { return glyphs_[slot]; }
  // For layout: the width in 1/1000 of the font size. A string's width is width(sum of these).
  double width_1000(uint32_t slot) const { return widths_[slot]; }
  double width(double sum_1000) const { return (sum_1000 * 0.001) * font_size_; }
  // The width of one character, points.
  double char_width(uint32_t slot) const { return char_widths_[slot]; }
  // For drawing: how far poppler moves the pen, points, without word space.
  double advance(uint32_t slot) const { return advances_[slot]; }
  // The characters without a glyph that slot() was asked for since the last call, in order of appearance.
  std::vector<uint32_t> take_missing();

 private:
  uint32_t slot_of_other(uint32_t code_point);
  uint32_t add(uint32_t code_point);
  static constexpr uint32_t kNoSlot = 0xFFFFFFFF;
  static constexpr uint32_t kNumCodePoints = 0x110000;
  static constexpr uint32_t kToNotice = 0x80000000;

  // 0 = not met yet; slot + 1; slot + 1 + kToNotice where the font has a glyph and nothing is to be noticed.
  using Leaf = std::array<uint32_t, 256>;

  const FontFace& face_;
  double font_size_;
  double device_font_size_;
  std::array<uint32_t, 128> ascii_;            // kNoSlot where the font has no glyph: those are to be noticed
  std::vector<std::unique_ptr<Leaf>> leaves_;  // by code point >> 8
  std::vector<uint32_t> codes_, glyphs_;
  std::vector<double> widths_, char_widths_, advances_;
  std::vector<uint32_t> missing_;              // slots
  std::vector<bool> is_noted_;                 // by slot: already in missing_
};

}  // namespace glyph
