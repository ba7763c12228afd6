// AnswerFormats: schemas -> forms that answers of one model can be held to. Spells out the vocabulary once, when it is first needed.
#pragma once

#include <memory>
#include <mutex>

#include "answer/answer_format.h"
#include "tokenize/tokenizer.h"

namespace glyph {

// Any thread.
class AnswerFormats {
 public:
  // The tokenizer must outlive it.
  explicit AnswerFormats(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  std::shared_ptr<const AnswerFormat> make(JsonSchema schema);

 private:
  const Tokenizer& tokenizer_;
  std::once_flag spelled_;
  std::shared_ptr<const TokenTrie> tokens_;
};

}  // namespace glyph
