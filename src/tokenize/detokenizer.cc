#include "tokenize/detokenizer.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace glyph {
namespace {

// Bytes at the end of `text` that begin a character but do not finish it: more bytes could make it
// well-formed.
size_t unfinished_bytes(std::string_view text) {
  const size_t longest = std::min<size_t>(3, text.size());
  for (size_t length = 1; length <= longest; ++length) {
    const size_t at = text.size() - length;
    const auto byte = static_cast<uint8_t>(text[at]);
    if (byte < 0x80) return 0;
    if (byte < 0xC0) continue;
    const size_t needed = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    const CodePoint point = decode_utf8(text, at);
    const bool is_prefix =
        !point.valid && point.length == length && length < needed && byte >= 0xC2 && byte <= 0xF4;
    return is_prefix ? length : 0;
  }
  return 0;
}

}  // namespace

Detokenizer::Detokenizer(const Tokenizer& tokenizer, DetokenizeOptions options)
    : tokenizer_(tokenizer), options_(std::move(options)) {}

std::string Detokenizer::push(int32_t id) {
  const bool kept = std::find(options_.keep.begin(), options_.keep.end(), id) != options_.keep.end();
  if (options_.skip_special && tokenizer_.is_special(id) && !kept) return {};
  std::string bytes = std::exchange(pending_, {});
  bytes += tokenizer_.token_bytes(id);
  const size_t ready = bytes.size() - unfinished_bytes(bytes);
  pending_ = bytes.substr(ready);
  bytes.resize(ready);
  return is_valid_utf8(bytes) ? bytes : sanitize_utf8(bytes);
}

std::string Detokenizer::flush() { return sanitize_utf8(std::exchange(pending_, {})); }

}  // namespace glyph
