// DecodeSteps: repeats decode steps on a device that can record what it queues (Device::record).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "glyph/status.h"
#include "ops/top_logits.h"
#include "tensor/tensor.h"

namespace glyph {

// Logits where they are computed, and what the host mostly needs of them.
struct DeviceLogits {
  DeviceLogits() = default;
  DeviceLogits(Device& device, int64_t rows, int64_t vocab_size)
      : all(device, DType::kF32, {rows, vocab_size}), top(device, DType::kF32, {rows, ops::kTopLogitsSize}) {}

  Tensor all;  // (rows, vocab_size) f32
  Tensor top;  // (rows, kTopLogitsSize) f32: ops::TopLogits of each
};

// One thread. The device must outlive it.
class DecodeSteps {
 public:
  DecodeSteps(Device& device, int64_t vocab_size) : device_(&device), vocab_size_(vocab_size) {}

  struct Shape {
    int64_t rows = 0;        // new tokens of all sequences
    int64_t max_tokens = 0;  // DecodeBatch::max_tokens
    auto operator<=>(const Shape&) const = default;
  };
  // What a step gives that `queue` queues: at the first two calls of a shape (the second is recorded) and whenever `record` is false.
  // Valid until the next call. Nothing has waited for the step.
  const DeviceLogits& queue(const Shape& shape, bool record, const std::function<void(DeviceLogits& logits)>& queue);

 private:
  struct Step {
    DeviceLogits logits;  // where they are for every repetition
    std::unique_ptr<RecordedWork> work;
    int64_t num_runs = 0;
    bool recordable = true;
  };
  Step& step_of(const Shape& shape);

  Device* device_;
  int64_t vocab_size_;
  std::map<Shape, Step> steps_;
};

}  // namespace glyph
