// Any bytes as tokenizer.json, then any text through it: no crash, and decoding gives back what was encoded
// plainly.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tokenize/detokenizer.h"
#include "tokenize/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // The text to encode stands behind the first NUL byte.
  const size_t cut = input.find('\0');
  const std::string_view json = input.substr(0, cut);
  const std::string_view text =
      cut == std::string_view::npos ? "Some text, 123  \n<|user|> it's" : input.substr(cut + 1);
  const auto tokenizer = glyph::Tokenizer::parse(json, "fuzz");
  if (!tokenizer.ok()) return 0;
  for (const int32_t id : tokenizer->encode_plain(text)) {
    if (tokenizer->is_added(id)) std::abort();
  }
  const std::vector<int32_t> ids = tokenizer->encode(text);
  glyph::Detokenizer stream(*tokenizer, {.skip_special = false, .keep = {}});
  std::string streamed;
  for (const int32_t id : ids) streamed += stream.push(id);
  if (streamed + stream.flush() != tokenizer->decode(ids, false)) std::abort();
  return 0;
}
