// TimeShare: how much of its time the engine may read with while answers are written. Time, not pieces: a page and a
// token take very different times, and on every machine others.
#pragma once

#include <algorithm>

namespace glyph {

class TimeShare {
 public:
  // Reading may take `per_second` seconds for each second of writing, and `burst` seconds at once after a pause. A piece that is
  // longer than what is left is paid back before the next one, with something in advance: what is read drives out of the processor's
  // caches what writing had there, so the two take turns seldom, but before anybody notices a pause.
  TimeShare(double per_second, double burst) : per_second_(per_second), burst_(burst), advance_(std::min(burst, kAdvance)), left_(burst) {}

  void wrote(double seconds) {
    left_ = std::min(burst_, left_ + per_second_ * seconds);
    if (left_ >= advance_) paying_ = false;
  }
  void read(double seconds) {
    left_ -= seconds;
    if (left_ <= 0) paying_ = true;
  }
  // Nobody writes: reading costs nothing.
  void reset() {
    left_ = burst_;
    paying_ = false;
  }
  bool may_read() const { return !paying_; }

 private:
  static constexpr double kAdvance = 0.05;

  const double per_second_;
  const double burst_;
  const double advance_;
  double left_;
  bool paying_ = false;
};

}  // namespace glyph
