// One line on stderr that says what a command is doing, once it has taken a second. Silent when stderr is not a terminal.
#pragma once

#include <chrono>
#include <string_view>

namespace glyph {

// Main thread only. Nothing else may write to the terminal while a line is shown: call clear() first.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Shows `text` in place of the last one; drops it while less than a second has passed or the last change is fresh.
  void update(std::string_view text);
  void clear();
  // Clears, and shows nothing from now on: the answer is being written.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  bool enabled_ = false;
  bool shown_ = false;
  Clock::time_point started_;
  Clock::time_point last_;
};

}  // namespace glyph
