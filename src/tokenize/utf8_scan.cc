#include "tokenize/utf8_scan.h"

#include <cstdint>
#include <cstring>

#include "base/utf8.h"

namespace glyph {
namespace {

bool is_continuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// The length of the well-formed sequence at `at`, whose lead byte is not ASCII; 0 when it is ill-formed
// (Unicode 15, table 3-7).
size_t sequence_length(const uint8_t* at, size_t available) {
  const uint8_t lead = at[0];
  if (available < 2 || lead < 0xC2 || lead > 0xF4 || !is_continuation(at[1])) return 0;
  if (lead < 0xE0) return 2;
  if (available < 3 || !is_continuation(at[2])) return 0;
  if (lead < 0xF0) return (lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F) ? 0 : 3;
  if (available < 4 || !is_continuation(at[3])) return 0;
  return (lead == 0xF0 && at[1] < 0x90) || (lead == 0xF4 && at[1] > 0x8F) ? 0 : 4;
}

}  // namespace

size_t well_formed_bytes(std::string_view text, size_t begin) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  size_t at = begin;
  while (at < text.size()) {
    if (bytes[at] < 0x80) {
      uint64_t word = 0;
      while (at + 8 <= text.size() && (std::memcpy(&word, bytes + at, 8), (word & 0x8080808080808080u) == 0))
        at += 8;
      while (at < text.size() && bytes[at] < 0x80) ++at;
      continue;
    }
    const size_t length = sequence_length(bytes + at, text.size() - at);
    if (length == 0) break;
    at += length;
  }
  return at - begin;
}

std::string_view repair_utf8(std::string_view text, std::string& storage) {
  size_t good = well_formed_bytes(text, 0);
  if (good == text.size()) return text;
  storage.clear();
  storage.reserve(text.size() + text.size() / 16);
  for (size_t at = 0;;) {
    storage += text.substr(at, good);
    at += good;
    if (at >= text.size()) break;
    append_utf8(storage, kReplacementCharacter);
    at += decode_utf8(text, at).length;
    good = well_formed_bytes(text, at);
  }
  return storage;
}

}  // namespace glyph
