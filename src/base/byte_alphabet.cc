#include "base/byte_alphabet.h"

#include <array>

#include "base/utf8.h"

namespace glyph {
namespace {

constexpr int kNumSpecialBytes = 68;

constexpr bool stands_for_itself(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

struct Alphabet {
  std::array<uint16_t, 256> character_of{};         // byte -> code point
  std::array<uint8_t, kNumSpecialBytes> special{};  // code point - 0x100 -> byte
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  int next = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (stands_for_itself(byte)) {
      alphabet.character_of[byte] = static_cast<uint16_t>(byte);
    } else {
      alphabet.special[next] = static_cast<uint8_t>(byte);
      alphabet.character_of[byte] = static_cast<uint16_t>(0x100 + next++);
    }
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

std::optional<uint8_t> byte_of_character(uint32_t code_point) {
  if (code_point >= 0x100 && code_point < 0x100 + kNumSpecialBytes)
    return kAlphabet.special[code_point - 0x100];
  if (code_point < 0x100 && stands_for_itself(static_cast<int>(code_point)))
    return static_cast<uint8_t>(code_point);
  return std::nullopt;
}

std::optional<std::string> bytes_of_spelling(std::string_view spelling) {
  std::string bytes;
  bytes.reserve(spelling.size());
  for (size_t i = 0; i < spelling.size();) {
    const CodePoint point = decode_utf8(spelling, i);
    const std::optional<uint8_t> byte = point.valid ? byte_of_character(point.value) : std::nullopt;
    if (!byte) return std::nullopt;
    bytes += static_cast<char>(*byte);
    i += point.length;
  }
  return bytes;
}

std::string spelling_of_bytes(std::string_view bytes) {
  std::string spelling;
  for (const char byte : bytes) append_utf8(spelling, kAlphabet.character_of[static_cast<uint8_t>(byte)]);
  return spelling;
}

}  // namespace glyph
