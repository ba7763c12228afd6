// Tokenizer throughput for `glyph bench ops`.
#pragma once

#include <string_view>

#include "tokenize/tokenizer.h"

namespace glyph {

struct TokenizeRate {
  double encode_mb_per_s = 0.0;  // 10^6 bytes of text, one thread
  double decode_mb_per_s = 0.0;
  double bytes_per_token = 0.0;
};

// Encodes and decodes `text` again and again for about `seconds` each; the fastest pass counts.
TokenizeRate bench_tokenize(const Tokenizer& tokenizer, std::string_view text, double seconds = 0.5);

}  // namespace glyph
