// Ids -> text, one id at a time: what comes out is always whole characters, and all of it is what
// Tokenizer::decode gives.
//
// Not thread safe; one object, one stream. The tokenizer must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tokenize/tokenizer.h"

namespace glyph {

struct DetokenizeOptions {
  bool skip_special = true;   // special tokens add no text
  std::vector<int32_t> keep;  // but these do ("<think>" may be special, and the answer parser looks for it)
};

class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer& tokenizer, DetokenizeOptions options = {});

  // Text that became complete with this id; empty while a character is unfinished.
  std::string push(int32_t id);
  // What is left at the end: U+FFFD for an unfinished character. The object is then as new.
  std::string flush();

 private:
  const Tokenizer& tokenizer_;
  DetokenizeOptions options_;
  std::string pending_;  // 0 to 3 bytes, the beginning of a character
};

}  // namespace glyph
