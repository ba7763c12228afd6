// UTF-8, one code point at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace glyph {

constexpr uint32_t kReplacementCharacter = 0xFFFD;

// One decoded step. An ill-formed sequence gives kReplacementCharacter, valid = false, and the length of its maximal subpart
// (Unicode 15, table 3-8), so that decoding always moves on and agrees with other decoders.
struct CodePoint {
  uint32_t value = 0;
  uint8_t length = 0;  // bytes; 0 only at the end of the text
  bool valid = true;
};

CodePoint decode_utf8(std::string_view text, size_t offset);
bool is_valid_utf8(std::string_view text);
void append_utf8(std::string& out, uint32_t code_point);
// The text with every ill-formed sequence replaced by U+FFFD.
std::string sanitize_utf8(std::string_view text);
// Its beginning, for a message: sanitized, cut to `most` bytes before that; "..." says that more follows.
std::string beginning_of(std::string_view text, size_t most);

}  // namespace glyph
