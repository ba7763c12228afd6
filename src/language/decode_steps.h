// DecodeSteps: repeats decode steps on a device that can record what it queues (Device::record).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "glyph/status.h"
#include "tensor/tensor.h"

namespace glyph {

// One thread. The device must outlive it.
class DecodeSteps {
 public:
  DecodeSteps(Device& device, int64_t vocab_size) : device_(&device), vocab_size_(vocab_size) {}

  struct Shape {
    int64_t rows = 0;        // new tokens of all sequences
    int64_t max_tokens = 0;  // DecodeBatch::max_tokens
    auto operator<=>(const Shape&) const = default;
  };
  // Logits (rows, vocab_size) f32 on the device, valid until the next call, of a step that `queue` queues: at the first two calls of
  // a shape (the second is recorded) and whenever `record` is false. Nothing has waited for the step.
  ConstTensorView queue(const Shape& shape, bool record, const std::function<void(const TensorView& logits)>& queue);

 private:
  struct Step {
    Tensor logits;  // (rows, vocab_size) on the device: where it is for every repetition
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
