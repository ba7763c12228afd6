#include "language/decode_steps.h"

namespace glyph {
namespace {

constexpr size_t kMaxKept = 64;  // a record of the 9B's step takes about a megabyte

}  // namespace

DecodeSteps::Step& DecodeSteps::step_of(const Shape& shape) {
  if (steps_.size() >= kMaxKept && !steps_.contains(shape)) steps_.clear();
  Step& step = steps_[shape];
  if (step.logits.all.empty()) step.logits = DeviceLogits(*device_, shape.rows, vocab_size_);
  return step;
}

// The first step of a shape runs call by call, so that everything it needs is there when the second is recorded.
const DeviceLogits& DecodeSteps::queue(const Shape& shape, bool record, const std::function<void(DeviceLogits& logits)>& queue) {
  Step& step = step_of(shape);
  if (record && step.work == nullptr && step.recordable && step.num_runs > 0) {
    step.work = device_->record([&] { queue(step.logits); });
    step.recordable = step.work != nullptr;
  }
  if (record && step.work != nullptr) {
    step.work->repeat();
  } else {
    queue(step.logits);
  }
  ++step.num_runs;
  return step.logits;
}

}  // namespace glyph
