// tokenizer.json as a struct, checked: what the tokenizer is built from.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"
#include "tokenize/added_tokens.h"
#include "tokenize/bpe.h"
#include "tokenize/normalizer.h"
#include "tokenize/pre_tokenizer.h"

namespace glyph {

struct TokenizerSpec {
  std::vector<std::string> spelling;  // by id, as in the file; empty where there is no token
  std::vector<bool> in_vocabulary;    // by id: from model.vocab (an added token may be there too)
  std::array<int32_t, 256> byte_ids{};
  std::vector<BpeMerge> merges;
  bool ignore_merges = false;  // a piece that is a token is that token
  std::vector<AddedToken> added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
};

constexpr size_t kMaxTokenizerBytes = 256 << 20;
constexpr int32_t kMaxTokenId = 1 << 20;  // memory grows with it, whatever the number of tokens
constexpr size_t kMaxTokenBytes = 4096;   // of one spelling

// kRefused naming `where` and what is damaged or not supported.
Result<TokenizerSpec> parse_tokenizer_json(std::string_view json, const std::string& where);

}  // namespace glyph
