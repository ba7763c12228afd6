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

// Of activations, and of KV where nothing else is asked for: kF32, kBF16 or kF16.
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

// Indices [begin, end) of one dimension.
struct Slice {
  int64_t begin = 0, end = 0;

  int64_t size() const { return end - begin; }
  bool operator==(const Slice&) const = default;
};

// The share that `rank` of `size` ranks has of `total` indices: whole units of the largest power of two up to `largest_unit` that
// divides the total, as evenly as these can be shared, in the order of the ranks.
Slice share_of(int64_t total, int rank, int size, int64_t largest_unit = 1);

// A stored matrix (rows, columns), or what one of several devices takes of it.
struct MatrixPart {
  std::string name;
  int64_t rows = 0, columns = 0;  // as stored; a vector has one column
  Slice row_slice = {0, rows};
  Slice column_slice = {0, columns};
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
  // The same for parts, all with as many columns. Only rows of a file can be used where they lie.
  Result<std::vector<Weight>> parts(std::span<const MatrixPart> parts) const;
  // The matrix whose results are logits. Where the others are quantised it has 8 bits and a scale for 64 weights, which are ten times
  // as exact as e4m3.
  Result<Weight> head(const MatrixPart& part) const;
  // Anything small, of any shape, as f32: norms, biases, the position table, convolutions that will be
  // rearranged. One dimension stays one, more become (first, all others).
  Result<Tensor> f32(const std::string& name, std::span<const int64_t> shape) const;
  // The same in host memory, to be rearranged.
  Result<Tensor> host_f32(const std::string& name, std::span<const int64_t> shape) const;
  // Vectors one after another, as the biases of parts(); a view into `storage` of each.
  struct Vectors {
    Tensor storage;  // (sum of sizes) f32
    std::vector<ConstTensorView> views;
  };
  Result<Vectors> vectors(std::span<const MatrixPart> parts) const;
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

  // Rows and columns of a stored tensor, whose dimensions from the second on count as columns.
  struct StoredPart {
    const std::string& name;
    std::span<const int64_t> shape;
    Slice rows, columns;
  };

  DType matrix_type(int64_t rows, int64_t columns) const;
  Result<Weight> part_of(DType type, const MatrixPart& part) const;
  Status fill(Device& device, const StoredPart& part, const TensorView& out) const;
  Status fill(Device& device, const MatrixPart& part, const TensorView& out) const;
  // All of it.
  Status fill(Device& device, const std::string& name, std::span<const int64_t> shape, const TensorView& out) const;
};

}  // namespace glyph
