// Letter, number, white space: the three classes every byte-level pre-tokenizer pattern is made of.
//
// They must be those of the reference, whose regular expressions (Oniguruma 6.9.10) know Unicode 16; ICU 72
// knows 15 and PCRE2 10.42 knows 14, so what later versions added is listed here. A test compares every code
// point with golden ranges.
#pragma once

#include <cstdint>
#include <string_view>

namespace glyph {

enum class CharClass : uint8_t { kOther = 0, kLetter = 1, kNumber = 2, kSpace = 3 };

// \p{L}, \p{N} and \s of the reference. Any code point; kOther above U+10FFFF.
CharClass char_class(uint32_t code_point);

// \w and \s of the `regex` crate, which trims around added tokens.
bool is_word_character(uint32_t code_point);
bool is_white_space(uint32_t code_point);

// Does Rust's char::is_numeric hold (the Digits pre-tokenizer)?
bool is_numeric(uint32_t code_point);

// PCRE2 class items ("\x{1C89}-\x{1C8A}...") for what PCRE2's \p{L} and \p{N} lack.
std::string_view letters_after_pcre2();
std::string_view numbers_after_pcre2();

}  // namespace glyph
