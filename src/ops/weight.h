// Precision of a model's matrix products, and weights as the models hold them.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "glyph/status.h"
#include "tensor/tensor.h"
#include "weights/safetensors.h"

namespace glyph {

enum class Precision {
  kAuto,  // bf16 where the device prefers it, else f32
  kF32,
  kBF16,
};

// kF32 or kBF16.
DType compute_type(const Device& device, Precision precision);

// A weight that looks into the checkpoint's file or owns a converted copy.
class Weight {
 public:
  Weight() = default;
  explicit Weight(ConstTensorView mapped) : mapped_(mapped) {}
  explicit Weight(Tensor owned) : owned_(std::move(owned)) {}

  ConstTensorView view() const { return owned_.empty() ? mapped_ : owned_.view(); }
  size_t owned_bytes() const { return owned_.empty() ? 0 : owned_.num_bytes(); }

 private:
  ConstTensorView mapped_;
  Tensor owned_;
};

// Reads weights of one checkpoint for products in `compute`.
class WeightLoader {
 public:
  WeightLoader(Device& device, const Checkpoint& checkpoint, DType compute)
      : device_(device), checkpoint_(checkpoint), compute_(compute) {}

  // A matrix of a linear layer. In place when compute is f32 (any stored type) or when it is stored in bf16;
  // converted otherwise.
  Result<Weight> matrix(const std::string& name, int64_t rows, int64_t columns) const;
  // Anything small, of any shape, as f32: norms, biases, the position table, convolutions that will be
  // rearranged. One dimension stays one, more become (first, all others).
  Result<Tensor> f32(const std::string& name, std::span<const int64_t> shape) const;
  // The token table, always where it lies.
  Result<Weight> table(const std::string& name, int64_t rows, int64_t columns) const;

  // An f32 matrix made at load time, converted to the compute type.
  Weight convert(Tensor matrix) const;
  DType compute() const { return compute_; }
  Device& device() const { return device_; }

 private:
  Device& device_;
  const Checkpoint& checkpoint_;
  DType compute_;
};

}  // namespace glyph
