// Writing: an answer that grows token by token, and guesses of how it goes on. What a guess gets right needs no pass of its own;
// the answer is the same with guesses and without, on a GPU up to the rounding of sums.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "answer/draft.h"
#include "engine/answering.h"
#include "glyph/document.h"
#include "glyph/status.h"
#include "language/kv_cache.h"
#include "language/logits.h"
#include "tokenize/tokenizer.h"

namespace glyph {

// All text of a document, as it is drawn.
std::string text_blocks(const Document& document);

// What answers may quote of a text; null for one that is too long to be looked through.
DraftIndexPtr make_draft_index(const Tokenizer& tokenizer, const std::string& text);

// One thread. What it is made with must outlive it, options and prompt excepted.
class Writing {
 public:
  // `on_token`, which may be empty, is called behind each token, the last one included.
  Writing(const Tokenizer& tokenizer, const AnsweringOptions& options, std::span<const int32_t> prompt, const AskListener& listener,
          std::function<void()> on_token);

  const Answering& answering() const { return answering_; }
  bool done() const { return answering_.done(); }

  // What a pass decodes: the token that was chosen, behind it up to `max_drafted` that the texts make likely.
  std::vector<int32_t> next_tokens(std::span<const DraftIndexPtr> texts, size_t max_drafted) const;

  // Chooses a token from a row of logits.
  Status take_logits(const ops::LogitsRow& logits);

  // Logits behind each of next_tokens(), rows from `first_row` on. Takes tokens as long as they are the drafted ones, and one more;
  // what was decoded beyond is cut off the cache. Gives how many drafted tokens were taken.
  Result<size_t> take_decoded(std::span<const int32_t> decoded, const Logits& logits, int64_t first_row, KvCache& cache);

 private:
  Answering answering_;
  std::function<void()> on_token_;
  int32_t next_token_ = 0;
  std::vector<int32_t> written_;  // the end of the answer
};

}  // namespace glyph
