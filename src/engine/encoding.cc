#include "engine/encoding.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace glyph {

// The device waits for the first pages to be drawn: a few of them are enough to begin with, and while it works on these the
// next ones are drawn.
int64_t Encoding::num_to_wait_for(const PageShape& shape) const {
  const int64_t most = batches_.most_pages(shape);
  return pages_.empty() ? std::max<int64_t>(1, most / 4) : most;
}

Result<std::vector<Patches>> Encoding::next_pages() {
  std::vector<Patches> pages;
  GLYPH_ASSIGN_OR_RETURN(std::optional<DrawnPage> drawn, drawing_.next_drawn());
  if (!drawn) return pages;
  const PageShape shape = shape_of(drawn->patches);
  pages.push_back(std::move(drawn->patches));
  const int64_t most = num_to_wait_for(shape);
  while (std::ssize(pages) < most && (drawn = drawing_.next_of(shape))) pages.push_back(std::move(drawn->patches));
  return pages;
}

Result<bool> Encoding::step(std::stop_token stop) {
  GLYPH_ASSIGN_OR_RETURN(const std::vector<Patches> pages, next_pages());
  if (pages.empty()) return false;
  std::span<const Patches> left = pages;
  for (const int64_t count : batches_.split(shape_of(pages.front()), std::ssize(pages))) {
    clock_->wait_for_all_but(kMaxAhead - 1);
    clock_->begin();
    GLYPH_ASSIGN_OR_RETURN(std::vector<PageFeatures> features, vision_.encode(left.first(static_cast<size_t>(count)), stop));
    clock_->end();
    std::move(features.begin(), features.end(), std::back_inserter(pages_));
    left = left.subspan(static_cast<size_t>(count));
  }
  return true;
}

std::vector<int64_t> Encoding::page_tokens() const {
  std::vector<int64_t> tokens;
  for (const PageFeatures& page : pages_) tokens.push_back(page.num_tokens());
  return tokens;
}

}  // namespace glyph
