#include "answer/draft.h"

#include <algorithm>
#include <utility>

namespace glyph {
namespace {

uint64_t pair_key(int32_t first, int32_t second) {
  return uint64_t{static_cast<uint32_t>(first)} << 32 | static_cast<uint32_t>(second);
}

// Tokens that end alike.
size_t common_end(std::span<const int32_t> a, std::span<const int32_t> b, size_t limit) {
  limit = std::min({limit, a.size(), b.size()});
  size_t length = 0;
  while (length < limit && a[a.size() - 1 - length] == b[b.size() - 1 - length]) ++length;
  return length;
}

}  // namespace

DraftIndex::DraftIndex(std::vector<int32_t> ids) : ids_(std::move(ids)), place_before_(ids_.size(), -1) {
  for (size_t i = 1; i < ids_.size(); ++i) {
    const auto [it, added] = last_place_.try_emplace(pair_key(ids_[i - 1], ids_[i]), static_cast<int32_t>(i));
    if (!added) place_before_[i] = std::exchange(it->second, static_cast<int32_t>(i));
  }
}

DraftIndex::Match DraftIndex::find(std::span<const int32_t> answer) const {
  Match best;
  if (answer.size() < 2) return best;
  const auto found = last_place_.find(pair_key(answer[answer.size() - 2], answer.back()));
  if (found == last_place_.end()) return best;
  const std::span<const int32_t> text(ids_);
  int32_t place = found->second;
  for (int i = 0; place >= 0 && i < kMaxPlaces; ++i, place = place_before_[static_cast<size_t>(place)]) {
    const auto end = static_cast<size_t>(place) + 1;
    if (end == text.size()) continue;
    const size_t length = common_end(answer, text.first(end), kMaxMatch);
    if (length >= best.length) best = {length, text.subspan(end)};
  }
  return best;
}

std::vector<int32_t> draft(std::span<const DraftIndexPtr> texts, std::span<const int32_t> answer, size_t max_tokens) {
  DraftIndex::Match best;
  for (const DraftIndexPtr& text : texts) {
    const DraftIndex::Match match = text->find(answer);
    if (match.length > best.length) best = match;
  }
  const auto ids = best.following.first(std::min({max_tokens, best.length, best.following.size()}));
  return {ids.begin(), ids.end()};
}

}  // namespace glyph
