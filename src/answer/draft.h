// Drafting: what an answer may go on with. The text behind the pages is known, so an answer that quotes it can be guessed some
// tokens ahead; the model then checks them in one pass, and only what it would have written itself is kept. Reference: prompt
// lookup decoding (Saxena 2023), with the documents' text in the place of the prompt.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace glyph {

// The tokens of a text and where each pair of neighbours stands. Immutable; any thread.
class DraftIndex {
 public:
  explicit DraftIndex(std::vector<int32_t> ids);

  struct Match {
    size_t length = 0;                  // tokens at the end of the answer that stand in the text; 0: fewer than two
    std::span<const int32_t> following; // all that comes behind them there
  };
  // The longest match, the first of equals; up to kMaxMatch tokens, among the last kMaxPlaces places of the last pair.
  Match find(std::span<const int32_t> answer) const;

  static constexpr size_t kMaxMatch = 16;
  static constexpr int kMaxPlaces = 256;

 private:
  const std::vector<int32_t> ids_;
  std::unordered_map<uint64_t, int32_t> last_place_;  // pair -> index of its second token
  std::vector<int32_t> place_before_;                 // the pair's place before this one, or -1
};
using DraftIndexPtr = std::shared_ptr<const DraftIndex>;

inline constexpr size_t kDefaultDraftTokens = 7;  // with the token that was chosen eight rows, which cost little more than one

// Up to max_tokens ids that may follow `answer`, from the text with the longest match; not more than matched, because a short
// match says little. Empty: no guess.
std::vector<int32_t> draft(std::span<const DraftIndexPtr> texts, std::span<const int32_t> answer, size_t max_tokens);

}  // namespace glyph
