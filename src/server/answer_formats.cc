#include "server/answer_formats.h"

#include <string>
#include <utility>
#include <vector>

namespace glyph {

std::shared_ptr<const AnswerFormat> AnswerFormats::make(JsonSchema schema) {
  std::call_once(spelled_, [this] {
    std::vector<std::string> spellings(static_cast<size_t>(tokenizer_.vocab_size()));
    for (int32_t id = 0; id < tokenizer_.vocab_size(); ++id) {
      if (!tokenizer_.is_added(id)) spellings[static_cast<size_t>(id)] = std::string(tokenizer_.token_bytes(id));
    }
    tokens_ = std::make_shared<const TokenTrie>(std::move(spellings));
  });
  return std::make_shared<const AnswerFormat>(AnswerFormat{std::move(schema), tokens_});
}

}  // namespace glyph
