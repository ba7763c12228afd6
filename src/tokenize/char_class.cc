#include "tokenize/char_class.h"

#include <fmt/format.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <memory>
#include <string>

namespace glyph {
namespace {

constexpr uint32_t kNumCodePoints = 0x110000;
constexpr int kPcre2Unicode = 14;
constexpr uint32_t kSpaceEnd = 0x3001;  // U+3000 is the last White_Space

struct Range {
  uint32_t first, last;
};

// Added by Unicode 15.1 and 16.0 (DerivedAge.txt, UnicodeData.txt).
constexpr Range kNewLetters[] = {
    {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3}, {0x10D4A, 0x10D65},
    {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x11380, 0x11389}, {0x1138B, 0x1138B}, {0x1138E, 0x1138E},
    {0x11390, 0x113B5}, {0x113B7, 0x113B7}, {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0},
    {0x13460, 0x143FA}, {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF}, {0x1E5D0, 0x1E5ED},
    {0x1E5F0, 0x1E5F0}, {0x2EBF0, 0x2EE5D}};
constexpr Range kNewNumbers[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9},
                                 {0x16130, 0x16139}, {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9},
                                 {0x1E5F1, 0x1E5FA}};
// Added by Unicode 17; only Rust's own tables have them.
constexpr Range kNewerNumbers[] = {{0x11DE0, 0x11DE9}, {0x16FF4, 0x16FF6}};

template <size_t N>
bool contains(const Range (&ranges)[N], uint32_t code_point) {
  for (const Range& range : ranges) {
    if (code_point >= range.first && code_point <= range.last) return true;
  }
  return false;
}

CharClass class_of_category(UCharCategory category) {
  const uint32_t mask = U_MASK(category);
  if ((mask & U_GC_L_MASK) != 0) return CharClass::kLetter;
  return (mask & U_GC_N_MASK) != 0 ? CharClass::kNumber : CharClass::kOther;
}

// One byte a code point; the pages of it that text touches stay in the cache.
class ClassTable {
 public:
  ClassTable() : classes_(std::make_unique<CharClass[]>(kNumCodePoints)) {
    // ICU hands out runs of one category: some thousands, where asking for each code point would take 50 ms
    // at every start.
    u_enumCharTypes(
        [](const void* context, UChar32 start, UChar32 limit, UCharCategory category) -> UBool {
          CharClass* classes = static_cast<const ClassTable*>(context)->classes_.get();
          std::fill(classes + start, classes + limit, class_of_category(category));
          return true;
        },
        this);
    for (const Range& range : kNewLetters)
      std::fill(&classes_[range.first], &classes_[range.last] + 1, CharClass::kLetter);
    for (const Range& range : kNewNumbers)
      std::fill(&classes_[range.first], &classes_[range.last] + 1, CharClass::kNumber);
    for (uint32_t c = 0; c < kSpaceEnd; ++c) {
      if (u_isUWhiteSpace(static_cast<UChar32>(c))) classes_[c] = CharClass::kSpace;
    }
  }
  CharClass operator[](uint32_t code_point) const { return classes_[code_point]; }

 private:
  std::unique_ptr<CharClass[]> classes_;
};

const ClassTable& table() {
  static const ClassTable the_table;
  return the_table;
}

bool is_in_pcre2(uint32_t code_point) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(code_point), age);
  return age[0] != 0 && age[0] <= kPcre2Unicode;
}

std::string class_items(CharClass wanted) {
  std::string items;
  for (uint32_t c = 0; c < kNumCodePoints; ++c) {
    if (char_class(c) != wanted || is_in_pcre2(c)) continue;
    const uint32_t first = c;
    while (c + 1 < kNumCodePoints && char_class(c + 1) == wanted && !is_in_pcre2(c + 1)) ++c;
    items += fmt::format("\\x{{{:X}}}-\\x{{{:X}}}", first, c);
  }
  return items;
}

}  // namespace

CharClass char_class(uint32_t code_point) {
  static const ClassTable& classes = table();
  return code_point < kNumCodePoints ? classes[code_point] : CharClass::kOther;
}

bool is_word_character(uint32_t code_point) {
  const auto c = static_cast<UChar32>(code_point);
  constexpr uint32_t kMask = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  return (U_GET_GC_MASK(c) & kMask) != 0 || u_hasBinaryProperty(c, UCHAR_ALPHABETIC) ||
         u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL) || contains(kNewLetters, code_point);
}

bool is_white_space(uint32_t code_point) { return u_isUWhiteSpace(static_cast<UChar32>(code_point)); }

bool is_numeric(uint32_t code_point) {
  return char_class(code_point) == CharClass::kNumber || contains(kNewerNumbers, code_point);
}

std::string_view letters_after_pcre2() {
  static const std::string items = class_items(CharClass::kLetter);
  return items;
}

std::string_view numbers_after_pcre2() {
  static const std::string items = class_items(CharClass::kNumber);
  return items;
}

}  // namespace glyph
