// StageClock: whose time it is. Waits for the device whenever a question reports progress, so that work which was only queued
// counts for the stage that queued it.
#pragma once

#include "engine/ask.h"
#include "engine/stopwatch.h"
#include "ladder/measure.h"
#include "tensor/tensor.h"

namespace glyph {

// For the thread that computes.
class StageClock {
 public:
  explicit StageClock(Device& device) : device_(device), probe_(device, DType::kF32, {1}) { wait(); }

  // Until the device has done what was queued.
  void wait() { host_copy(device_, probe_.view()); }
  // From now on.
  void start() { watch_ = Stopwatch(); }
  void tick(AskStage stage) {
    wait();
    const double ms = watch_.ms();
    watch_ = Stopwatch();
    if (stage == AskStage::kEncode) times_.vision_ms += ms;
    if (stage == AskStage::kPrefill) times_.prefill_ms += ms;
    if (stage == AskStage::kDecode) times_.decode_ms += ms;
  }
  const StageTimes& times() const { return times_; }

 private:
  Device& device_;
  Tensor probe_;
  Stopwatch watch_;
  StageTimes times_;
};

}  // namespace glyph
