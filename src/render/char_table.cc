#include "render/char_table.h"

#include "base/check.h"
#include "render/pdf_number.h"

namespace glyph {

CharTable::CharTable(const FontFace& face, double font_size)
    : face_(face), font_size_(font_size), device_font_size_(print_pdf_number(font_size).device),
      leaves_(kNumCodePoints >> 8) {
  GLYPH_CHECK(slot_of_other(' ') == kSpaceSlot);
  GLYPH_CHECK(slot_of_other(0xA0) == kNbspSlot);
  ascii_.fill(kNoSlot);
  for (uint32_t code = 0; code < ascii_.size(); ++code) {
    const uint32_t known = slot_of_other(code);
    if (glyphs_[known] != 0) ascii_[code] = known;
  }
  take_missing();
}

uint32_t CharTable::slot_of_other(uint32_t code_point) {
  if (code_point >= kNumCodePoints) code_point = 0xFFFD;
  std::unique_ptr<Leaf>& leaf = leaves_[code_point >> 8];
  if (!leaf) leaf = std::make_unique<Leaf>();
  uint32_t& entry = (*leaf)[code_point & 0xFF];
  if (entry == 0) {
    const uint32_t added = add(code_point);
    entry = added + 1 + (glyphs_[added] != 0 ? kToNotice : 0);
  }
  const uint32_t result = (entry & ~kToNotice) - 1;
  if (glyphs_[result] == 0 && !is_noted_[result]) {
    is_noted_[result] = true;
    missing_.push_back(result);
  }
  return result;
}

std::vector<uint32_t> CharTable::take_missing() {
  std::vector<uint32_t> codes;
  for (uint32_t slot : missing_) {
    codes.push_back(codes_[slot]);
    is_noted_[slot] = false;
  }
  missing_.clear();
  return codes;
}

uint32_t CharTable::add(uint32_t code_point) {
  uint32_t glyph = face_.glyph_index(code_point);
  // ReportLab lets the space and the no-break space stand in for each other.
  if (code_point == 0xA0) {
    if (const uint32_t space = face_.glyph_index(' ')) glyph = space;
  } else if (code_point == ' ' && glyph == 0) {
    glyph = face_.glyph_index(0xA0);
  }
  const double advance_width = face_.width_1000(glyph);
  codes_.push_back(code_point);
  glyphs_.push_back(glyph);
  widths_.push_back(advance_width);
  char_widths_.push_back(width(advance_width));
  advances_.push_back(print_pdf_number(advance_width).device * 0.001 * device_font_size_ + 0.0);
  is_noted_.push_back(false);
  return static_cast<uint32_t>(codes_.size() - 1);
}

}  // namespace glyph
