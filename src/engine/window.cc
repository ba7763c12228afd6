#include "engine/window.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace glyph {
namespace {

constexpr double kSmallestDpi = 60;  // fewer pixels, and small print is no longer legible
constexpr double kUsualDpi = 72;

// Image tokens grow with the area of the pages.
int64_t tokens_at(const WindowUse& use, const PageStyle& style, double dpi) {
  const double scale = dpi / style.dpi;
  return static_cast<int64_t>(std::ceil(static_cast<double>(use.image_tokens) * scale * scale));
}

// What the user can do about it.
std::string advice(const WindowUse& use, int64_t window, const PageStyle& style) {
  const int64_t room = window - use.text_tokens - use.answer_tokens;
  for (const double dpi : {kUsualDpi, kSmallestDpi}) {
    if (dpi >= style.dpi || tokens_at(use, style, dpi) > room * 98 / 100) continue;
    return fmt::format("a denser page style fits: --dpi {:g} takes about {} tokens", dpi,
                       tokens_at(use, style, dpi) + use.text_tokens + use.answer_tokens);
  }
  if (room <= 0) return "ask a shorter question";
  const auto parts = static_cast<int64_t>(std::ceil(static_cast<double>(use.image_tokens) / static_cast<double>(room)));
  return fmt::format("split it into {} parts, or give a denser page style with --style", std::max<int64_t>(parts, 2));
}

}  // namespace

Status check_window(const std::string& name, const WindowUse& use, int64_t window, const PageStyle& style) {
  if (use.total() <= window) return {};
  return refused(fmt::format("{}: {} pages and the question take {} tokens, {} more than the {} of the model's context window; {}", name,
                             use.num_pages, use.total(), use.total() - window, window, advice(use, window, style)));
}

}  // namespace glyph
