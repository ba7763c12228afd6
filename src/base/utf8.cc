#include "base/utf8.h"

namespace glyph {
namespace {

// What a lead byte promises: total length and the range of the second byte (Unicode 15, table 3-7). Length 0: not a lead byte.
struct Lead {
  uint8_t length;
  uint8_t second_min;
  uint8_t second_max;
};

constexpr Lead lead_of(uint8_t byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

CodePoint decode_utf8(std::string_view text, size_t offset) {
  if (offset >= text.size()) return {};
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(offset);
  if (first < 0x80) return {first, 1, true};
  const Lead lead = lead_of(first);
  if (lead.length == 0) return {kReplacementCharacter, 1, false};
  uint32_t value = first & (0x7F >> lead.length);
  for (uint8_t i = 1; i < lead.length; ++i) {
    const uint8_t low = i == 1 ? lead.second_min : 0x80;
    const uint8_t high = i == 1 ? lead.second_max : 0xBF;
    if (offset + i >= text.size() || byte(offset + i) < low || byte(offset + i) > high) return {kReplacementCharacter, i, false};
    value = value << 6 | (byte(offset + i) & 0x3F);
  }
  return {value, lead.length, true};
}

bool is_valid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const CodePoint point = decode_utf8(text, i);
    if (!point.valid) return false;
    i += point.length;
  }
  return true;
}

void append_utf8(std::string& out, uint32_t c) {
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = kReplacementCharacter;
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

std::string sanitize_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const CodePoint point = decode_utf8(text, i);
    if (point.valid) {
      out.append(text.substr(i, point.length));
    } else {
      append_utf8(out, kReplacementCharacter);
    }
    i += point.length;
  }
  return out;
}

std::string beginning_of(std::string_view text, size_t most) {
  if (text.size() <= most) return sanitize_utf8(text);
  size_t end = most;
  while (end > 0 && most - end < 3 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;  // not within a character
  return sanitize_utf8(text.substr(0, end)) + "...";
}

}  // namespace glyph
