#include "progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace glyph {
namespace {

constexpr auto kQuietTime = std::chrono::seconds(1);
constexpr auto kInterval = std::chrono::milliseconds(100);

size_t terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

ProgressLine::ProgressLine() : enabled_(isatty(STDERR_FILENO) == 1), started_(Clock::now()), last_(started_) {}

void ProgressLine::update(std::string_view text) {
  const Clock::time_point now = Clock::now();
  if (!enabled_ || now - started_ < kQuietTime || (shown_ && now - last_ < kInterval)) return;
  const std::string_view fitting = text.substr(0, std::min(text.size(), terminal_width() - 1));
  fmt::print(stderr, "\r\033[K{}", fitting);
  std::fflush(stderr);
  shown_ = true;
  last_ = now;
}

void ProgressLine::clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  shown_ = false;
}

void ProgressLine::finish() {
  clear();
  enabled_ = false;
}

}  // namespace glyph
