// WorkClock: how long a device worked on the pieces of something. Measured by the device, so that nobody waits for it.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>

#include "tensor/device.h"

namespace glyph {

// One thread. The device must outlive it.
class WorkClock {
 public:
  explicit WorkClock(Device& device) : device_(device) {}

  // Around what queues a piece.
  void begin() { pieces_.push_back({device_.mark(), nullptr}); }
  void end() { pieces_.back().end = device_.mark(); }

  // Waits until at most `count` pieces are not done.
  void wait_for_all_but(size_t count) {
    while (pieces_.size() > count) add_first();
  }
  // Of all pieces that have ended; waits for them.
  double ms() {
    wait_for_all_but(0);
    return ms_;
  }

 private:
  struct Piece {
    std::unique_ptr<DeviceMark> begin, end;
  };
  void add_first() {
    if (pieces_.front().end != nullptr) ms_ += pieces_.front().end->ms_since(*pieces_.front().begin);
    pieces_.pop_front();
  }

  Device& device_;
  std::deque<Piece> pieces_;
  double ms_ = 0;
};

}  // namespace glyph
