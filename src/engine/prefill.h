// Prefill: the third stage. The language model reads the prompt, pages included, chunk by chunk into a KV cache.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/work_clock.h"
#include "glyph/status.h"
#include "language/language_model.h"
#include "vision/page_features.h"

namespace glyph {

// One thread. Does not move: the prompt points into it.
class Prefill {
 public:
  // `ids` hold a placeholder for each feature of `pages`. kRefused when they do not agree, or pass the context window.
  static Result<std::unique_ptr<Prefill>> start(const LanguageModel& language, KvBlockPool& blocks, std::vector<int32_t> ids,
                                                std::vector<PageFeatures> pages);
  Prefill(const Prefill&) = delete;
  Prefill& operator=(const Prefill&) = delete;

  // Reads one chunk. A row of logits after the last one, nothing before. kExhausted: no KV blocks.
  Result<std::optional<Logits>> step(int64_t chunk_tokens);

  const std::vector<int32_t>& ids() const { return ids_; }
  int64_t tokens_read() const { return read_; }
  double ms() { return clock_.ms(); }  // in the language model; waits for it
  KvCache& cache() { return cache_; }
  // Frees the features once everything is read.
  void drop_pages();

 private:
  Prefill(const LanguageModel& language, KvBlockPool& blocks, std::vector<int32_t> ids, std::vector<PageFeatures> pages);

  const LanguageModel& language_;
  const std::vector<int32_t> ids_;
  std::vector<PageFeatures> pages_;
  std::vector<const PageFeatures*> page_pointers_;
  KvCache cache_;
  Prompt prompt_;
  int64_t read_ = 0;
  WorkClock clock_;
};

}  // namespace glyph
