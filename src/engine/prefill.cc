#include "engine/prefill.h"

#include <algorithm>
#include <utility>

namespace glyph {

Prefill::Prefill(const LanguageModel& language, KvBlockPool& blocks, std::vector<int32_t> ids, std::vector<PageFeatures> pages)
    : language_(language), ids_(std::move(ids)), pages_(std::move(pages)), cache_(blocks), clock_(blocks.device()) {
  for (const PageFeatures& page : pages_) page_pointers_.push_back(&page);
}

Result<std::unique_ptr<Prefill>> Prefill::start(const LanguageModel& language, KvBlockPool& blocks, std::vector<int32_t> ids,
                                                std::vector<PageFeatures> pages) {
  std::unique_ptr<Prefill> prefill(new Prefill(language, blocks, std::move(ids), std::move(pages)));
  GLYPH_ASSIGN_OR_RETURN(prefill->prompt_, language.begin_prefill(prefill->ids_, prefill->page_pointers_, prefill->cache_));
  return prefill;
}

Result<std::optional<Logits>> Prefill::step(int64_t chunk_tokens) {
  const int64_t total = prompt_.num_tokens();
  const int64_t end = std::min(read_ + chunk_tokens, total);
  clock_.begin();
  GLYPH_ASSIGN_OR_RETURN(Logits logits, language_.read(prompt_, read_, end, cache_, end == total));
  clock_.end();
  read_ = end;
  if (end < total) return std::optional<Logits>();
  return std::optional<Logits>(std::move(logits));
}

void Prefill::drop_pages() {
  page_pointers_.clear();
  pages_.clear();
}

}  // namespace glyph
