// Prompt: token ids with pages in the place of placeholders, and the rotary position of every token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "glyph/status.h"
#include "ops/rotary.h"
#include "vision/page_features.h"

namespace glyph {

// A prompt, or the next part of one: it may continue a cache. Looks at ids and features, which must outlive
// it.
struct Prompt {
  std::span<const int32_t> ids;
  std::span<const PageFeatures* const> pages;  // in the order of the runs of placeholders in ids
  std::vector<ops::TokenPosition> positions;   // (ids)
  std::vector<int64_t> feature_begin;          // per page: index of its first placeholder in ids
  int64_t next_position = 0;                   // of the first token after the prompt

  int64_t num_tokens() const { return static_cast<int64_t>(ids.size()); }
};

// Counts positions from `first_position` (KvCache::next_position()). Each run of `image_token_id` must be as
// long as its page has tokens, and there must be as many runs as pages; otherwise kRefused. Reference:
// Glm4vModel.get_rope_index.
Result<Prompt> make_prompt(std::span<const int32_t> ids, std::span<const PageFeatures* const> pages,
                           int32_t image_token_id, int64_t first_position = 0);

}  // namespace glyph
