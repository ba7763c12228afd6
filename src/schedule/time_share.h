// TimeShare: how much of its time the engine may read with while answers are written. Time, not pieces: a page and a
// token take very different times, and on every machine others.
#pragma once

#include <algorithm>

namespace glyph {

class TimeShare {
 public:
  // Reading may take `per_second` seconds for each second of writing, and `burst` seconds at once after a pause. A piece that is
  // longer than what is left is paid back before the next one.
  TimeShare(double per_second, double burst) : per_second_(per_second), burst_(burst), left_(burst) {}

  void wrote(double seconds) { left_ = std::min(burst_, left_ + per_second_ * seconds); }
  void read(double seconds) { left_ -= seconds; }
  // Nobody writes: reading costs nothing.
  void reset() { left_ = burst_; }
  bool may_read() const { return left_ > 0; }

 private:
  const double per_second_;
  const double burst_;
  double left_;
};

}  // namespace glyph
