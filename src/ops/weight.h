// Precision of a model's matrix products, and weights as the models hold them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"
#include "tensor/tensor.h"
#include "weights/safetensors.h"

namespace glyph {

enum class Precision {
  kAuto,  // bf16 where the device prefers it, else f32
  kF32,
  kBF16,
  kF16,
  kFp8,   // e4m3 weights, and e4m3 rows where there are many; the rest as bf16
  kInt8,  // 8-bit weights with a scale for kQuantGroup of a row; they meet bf16 rows
  kInt4,  // likewise with 4 bits; of the vision model 8
};

// auto, fp32, bf16, fp16, fp8, int8 or int4.
Result<Precision> parse_precision(std::string_view text);
std::string_view name_of(Precision precision);
// kRefused where the device cannot: the host's processor computes in fp32 and bf16.
Status check_precision(const Device& device, Precision precision);

// Of activations and KV: kF32, kBF16 or kF16.
DType compute_type(const Device& device, Precision precision);
// Of the matrices in the language model's layers: the compute type, or a quantised one.
DType weight_type(const Device& device, Precision precision);

// A weight that looks into the checkpoint's file, or into memory that it shares with its neighbours.
class Weight {
 public:
  Weight() = default;
  explicit Weight(ConstTensorView mapped) : view_(mapped) {}
  explicit Weight(Tensor owned) : storage_(std::make_shared<Tensor>(std::move(owned))), view_(storage_->view()) {}
  // Rows of a tensor that holds several weights.
  Weight(std::shared_ptr<Tensor> storage, ConstTensorView view) : storage_(std::move(storage)), view_(view) {}

  ConstTensorView view() const { return view_; }

 private:
  std::shared_ptr<Tensor> storage_;
  ConstTensorView view_;
};

struct MatrixName {
  std::string name;
  int64_t rows = 0;
};

// Reads weights of one checkpoint for products in `compute`. On a host device they stay in the checkpoint's file
// where their type allows; on a GPU they are copied to its memory in the type they are computed with.
class WeightLoader {
 public:
  WeightLoader(Device& device, const Checkpoint& checkpoint, DType compute)
      : WeightLoader(device, checkpoint, compute, compute) {}
  // matrix() and matrices() give `weights`, which may be quantised: made here from values in `compute`. A matrix
  // whose sides are no multiples of what the type wants stays in `compute`.
  WeightLoader(Device& device, const Checkpoint& checkpoint, DType compute, DType weights)
      : device_(device), checkpoint_(checkpoint), compute_(compute), weights_(weights) {}

  // A matrix of a linear layer. In place when compute is f32 (any stored type) or when it is stored in bf16;
  // converted otherwise.
  Result<Weight> matrix(const std::string& name, int64_t rows, int64_t columns) const;
  // Matrices of the same inputs, of one type. On a GPU they lie one after another, so that one product can do them all.
  Result<std::vector<Weight>> matrices(std::span<const MatrixName> names, int64_t columns) const;
  // A matrix that is never quantised: the head, whose results are logits.
  Result<Weight> plain_matrix(const std::string& name, int64_t rows, int64_t columns) const;
  // Anything small, of any shape, as f32: norms, biases, the position table, convolutions that will be
  // rearranged. One dimension stays one, more become (first, all others).
  Result<Tensor> f32(const std::string& name, std::span<const int64_t> shape) const;
  // The same in host memory, to be rearranged.
  Result<Tensor> host_f32(const std::string& name, std::span<const int64_t> shape) const;
  // Vectors one after another, as the biases of matrices(); a view into `storage` of each.
  struct Vectors {
    Tensor storage;  // (sum of sizes) f32
    std::vector<ConstTensorView> views;
  };
  Result<Vectors> vectors(std::span<const MatrixName> names) const;
  // The token table, always where it lies.
  Result<Weight> table(const std::string& name, int64_t rows, int64_t columns) const;

  // An f32 matrix made at load time in host memory, on the device in the compute type.
  Weight convert(Tensor matrix) const;
  // A tensor made at load time in host memory, on the device.
  Tensor on_device(Tensor tensor) const;
  DType compute() const { return compute_; }
  Device& device() const { return device_; }

 private:
  Device& device_;
  const Checkpoint& checkpoint_;
  DType compute_;
  DType weights_;

  DType matrix_type(int64_t rows, int64_t columns) const;
  Result<Weight> matrix_of(DType type, const std::string& name, int64_t rows, int64_t columns) const;
  Status fill(Device& device, const std::string& name, std::span<const int64_t> shape, const TensorView& out) const;
};

}  // namespace glyph
