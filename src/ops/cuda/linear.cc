// Linear layers: chooses the kind of product, and joins parts that lie side by side in memory into one.
#include <algorithm>
#include <vector>

#include "ops/cuda/ops.h"
#include "ops/cuda/products.h"

namespace glyph::ops::cuda {
namespace {

const std::byte* end_of(const ConstTensorView& view) {
  return static_cast<const std::byte*>(view.raw()) +
         view.size(0) * view.stride(0) * static_cast<int64_t>(size_of(view.dtype()));
}

bool follows(const ConstTensorView& first, const ConstTensorView& second) {
  if (first.empty() || second.empty()) return first.empty() && second.empty();
  return first.dtype() == second.dtype() && first.stride(0) == second.stride(0) && end_of(first) == second.raw();
}

// A view of both.
ConstTensorView joined(const ConstTensorView& first, const ConstTensorView& second) {
  if (first.empty()) return first;
  const int64_t rows = first.size(0) + second.size(0);
  if (first.rank() == 1) return {first.raw(), first.dtype(), {rows}};
  const ConstTensorView whole(first.raw(), first.dtype(), {rows, first.stride(0)});
  return whole.slice(1, 0, first.size(1));
}

std::vector<LinearPart> merged(std::span<const LinearPart> parts) {
  std::vector<LinearPart> result;
  for (const LinearPart& part : parts) {
    if (!result.empty() && follows(result.back().weight, part.weight) &&
        follows(result.back().bias, part.bias)) {
      result.back() = {.weight = joined(result.back().weight, part.weight),
                       .bias = joined(result.back().bias, part.bias)};
    } else {
      result.push_back(part);
    }
  }
  return result;
}

void multiply(CudaDevice& device, const Product& product) {
  if (product.rows() == 0 || product.outputs() == 0) return;
  if (product.rows() <= kMaxVectorRows && matrix_vector(device, product)) return;
  if (product.x.dtype() == product.weight.dtype() && matrix_blas(device, product)) return;
  matrix_any(device, product);
}

}  // namespace

void linear(CudaDevice& device, const ConstTensorView& x, std::span<const LinearPart> parts,
            const TensorView& out, const LinearOptions& options) {
  int64_t column = 0;
  for (const LinearPart& part : merged(parts)) {
    if (!device.ok()) return;
    const int64_t end = column + part.weight.size(0);
    multiply(device, {.x = x,
                      .weight = part.weight,
                      .bias = part.bias,
                      .out = out.slice(1, column, end),
                      .accumulate = options.accumulate});
    column = end;
  }
}

void swiglu_linear(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& gate,
                   const ConstTensorView& up, const TensorView& out) {
  const int64_t rows = x.size(0), n = gate.size(0);
  if (!device.ok() || rows == 0 || n == 0) return;
  if (rows <= kMaxVectorRows && swiglu_matrix_vector(device, x, gate, up, out)) return;
  const auto bytes = static_cast<size_t>(rows * 2 * n) * size_of(out.dtype());
  const DeviceMemory memory = device.allocate(bytes);
  const TensorView both(memory.get(), out.dtype(), {rows, 2 * n});
  const LinearPart parts[] = {{.weight = gate, .bias = {}}, {.weight = up, .bias = {}}};
  linear(device, x, parts, both, {});
  swiglu(device, both.slice(1, 0, n), both.slice(1, n, 2 * n), out);
}

}  // namespace glyph::ops::cuda
