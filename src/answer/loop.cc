#include "answer/loop.h"

#include <algorithm>

namespace glyph {

bool LoopDetector::push(int32_t id) {
  bool found = false;
  const auto known = static_cast<int>(std::min<int64_t>(count_, kMaxPeriod));
  for (int period = 1; period <= known; ++period) {
    int32_t& repeated = repeated_[static_cast<size_t>(period - 1)];
    repeated = last_[static_cast<size_t>((count_ - period) % kMaxPeriod)] == id ? repeated + 1 : 0;
    found |= repeated >= std::max(kLeastLength, 2 * period);
  }
  last_[static_cast<size_t>(count_ % kMaxPeriod)] = id;
  ++count_;
  return found;
}

}  // namespace glyph
