#include "language/prompt.h"

#include <fmt/format.h>

#include <algorithm>

namespace glyph {
namespace {

// Tokens of one page, row by row; time stands still (reference: Glm4vModel.get_vision_position_ids).
void add_page(Prompt& prompt, const PageFeatures& page) {
  const auto start = static_cast<int32_t>(prompt.next_position);
  const int64_t height = page.grid.height / page.merge_size, width = page.grid.width / page.merge_size;
  for (int64_t row = 0; row < height; ++row) {
    for (int64_t column = 0; column < width; ++column) {
      prompt.positions.push_back(
          {start, start + static_cast<int32_t>(row), start + static_cast<int32_t>(column)});
    }
  }
  prompt.next_position += std::max(height, width);
}

}  // namespace

Result<Prompt> make_prompt(std::span<const int32_t> ids, std::span<const PageFeatures* const> pages,
                           int32_t image_token_id, int64_t first_position) {
  Prompt prompt{
      .ids = ids, .pages = pages, .positions = {}, .feature_begin = {}, .next_position = first_position};
  prompt.positions.reserve(ids.size());
  for (size_t i = 0; i < ids.size();) {
    if (ids[i] != image_token_id) {
      const auto position = static_cast<int32_t>(prompt.next_position++);
      prompt.positions.push_back({position, position, position});
      ++i;
      continue;
    }
    size_t end = i;
    while (end < ids.size() && ids[end] == image_token_id) ++end;
    const size_t index = prompt.feature_begin.size();
    if (index >= pages.size()) {
      return refused(
          fmt::format("the prompt has placeholders for more than the {} pages given", pages.size()));
    }
    const PageFeatures& page = *pages[index];
    const int64_t on_grid = page.grid.num_patches() / (page.merge_size * page.merge_size);
    if (static_cast<int64_t>(end - i) != page.num_tokens() || page.num_tokens() != on_grid) {
      return refused(fmt::format("page {} has {} features, but the prompt has {} placeholders for it",
                                 index + 1, page.num_tokens(), end - i));
    }
    prompt.feature_begin.push_back(static_cast<int64_t>(i));
    add_page(prompt, page);
    i = end;
  }
  if (prompt.feature_begin.size() != pages.size()) {
    return refused(fmt::format("{} pages were given, but the prompt has placeholders for {}", pages.size(),
                               prompt.feature_begin.size()));
  }
  return prompt;
}

}  // namespace glyph
