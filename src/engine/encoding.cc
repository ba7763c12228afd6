#include "engine/encoding.h"

#include <utility>

#include "engine/stopwatch.h"

namespace glyph {

Result<bool> Encoding::step(std::stop_token stop) {
  GLYPH_ASSIGN_OR_RETURN(const std::optional<Page> page, drawing_.next());
  if (!page) return false;
  const Stopwatch watch;
  GLYPH_ASSIGN_OR_RETURN(PageFeatures features, vision_.encode(page->image, std::move(stop)));
  seconds_ += watch.seconds();
  pages_.push_back(std::move(features));
  return true;
}

std::vector<int64_t> Encoding::page_tokens() const {
  std::vector<int64_t> tokens;
  for (const PageFeatures& page : pages_) tokens.push_back(page.num_tokens());
  return tokens;
}

}  // namespace glyph
