// Linear layers: chooses the kind of product, and joins parts that lie side by side in memory into one.
#include <algorithm>
#include <vector>

#include "ops/cuda/ops.h"
#include "ops/cuda/products.h"
#include "ops/cuda/trial.h"

namespace glyph::ops::cuda {
namespace {

const std::byte* end_of(const ConstTensorView& view) {
  return static_cast<const std::byte*>(view.raw()) +
         bytes_of(view.dtype(), view.size(0) * view.stride(0));
}

bool follows(const ConstTensorView& first, const ConstTensorView& second) {
  if (first.empty() || second.empty()) return first.empty() && second.empty();
  if (first.scales() != nullptr) {
    const int64_t bytes = first.size(0) * scale_bytes_of_row(first.dtype(), first.size(1));
    if (static_cast<const std::byte*>(first.scales()) + bytes != second.scales()) return false;
  }
  return first.dtype() == second.dtype() && first.stride(0) == second.stride(0) && end_of(first) == second.raw();
}

// A view of both.
ConstTensorView joined(const ConstTensorView& first, const ConstTensorView& second) {
  if (first.empty()) return first;
  const int64_t rows = first.size(0) + second.size(0);
  if (first.rank() == 1) return {first.raw(), first.dtype(), {rows}};
  const ConstTensorView whole(first.raw(), first.dtype(), {rows, first.stride(0)});
  return whole.slice(1, 0, first.size(1)).with_scales(first.scales());
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

void multiply(CudaDevice& device, const Product& product);

// Few rows, by the faster of two kernels; as heads, where there is an end. The tensor cores are faster from two rows of quantised weights on, from
// five of others.
bool is_faster_on_tensor_cores(const ConstTensorView& x, const ConstTensorView& weight) {
  return x.size(0) > (is_quantised(weight.dtype()) ? 1 : 4) && fits_few(x, weight);
}
template <typename... End>
bool stream_weights(CudaDevice& device, const Product& p, const End&... end) {
  return is_faster_on_tensor_cores(p.x, p.weight) ? matrix_few(device, p, end...) : matrix_vector(device, p, end...);
}
bool stream_gates(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& gate, const ConstTensorView& up, const TensorView& out) {
  return is_faster_on_tensor_cores(x, gate) ? swiglu_matrix_few(device, x, gate, up, out) : swiglu_matrix_vector(device, x, gate, up, out);
}

// Memory of one call.
struct Scratch {
  DeviceMemory memory;
  TensorView view;

  Scratch(CudaDevice& device, DType type, const Shape& shape)
      : memory(device.allocate(storage_layout(type, shape).num_bytes)),
        view(TensorView::stored(memory.get(), type, shape)) {}
};

// Few rows as the kernel wants them.
bool multiply_few(CudaDevice& device, const Product& product) {
  if (product.rows() > kMaxQuantisedVectorRows || product.x.dtype() == DType::kE4M3) return false;
  if (product.x.dtype() == DType::kBF16) return stream_weights(device, product);
  const Scratch narrowed(device, DType::kBF16, product.x.shape());
  if (!device.ok()) return true;
  narrow(device, product.x, narrowed.view);
  Product with_narrow = product;
  with_narrow.x = narrowed.view;
  return multiply_few(device, with_narrow);
}

// e4m3 rows and weights on the tensor cores, where the GPU has such.
bool multiply_e4m3(CudaDevice& device, const Product& product) {
  if (product.weight.dtype() != DType::kE4M3 || device.architecture() < 89) return false;
  if (product.x.dtype() == DType::kE4M3) return matrix_blas(device, product);
  const Scratch narrowed(device, DType::kE4M3, product.x.shape());
  if (!device.ok()) return true;
  quantise(device, product.x, narrowed.view);
  Product with_narrow = product;
  with_narrow.x = narrowed.view;
  return matrix_blas(device, with_narrow);
}

// Weights are widened a part of the outputs at a time, which stays in the cache until it is multiplied.
void multiply_widened(CudaDevice& device, const Product& product) {
  const DType type = product.x.dtype() == DType::kE4M3 ? DType::kBF16 : product.x.dtype();
  Product part = product;
  part.weight_is_new = true;
  const Scratch x(device, type, product.x.dtype() == type ? Shape{0, 0} : product.x.shape());
  if (product.x.dtype() != type) {
    dequantise(device, product.x, x.view);
    part.x = x.view;
  }
  constexpr int64_t kPartBytes = int64_t{32} << 20;
  const int64_t row_bytes = bytes_of(type, product.depth());
  const int64_t step = std::min(product.outputs(), std::max<int64_t>(64, kPartBytes / row_bytes / 64 * 64));
  const Scratch weights(device, type, {step, product.depth()});
  for (int64_t begin = 0; begin < product.outputs() && device.ok(); begin += step) {
    const int64_t end = std::min(product.outputs(), begin + step);
    const TensorView wide = weights.view.rows(0, end - begin);
    dequantise(device, product.weight.rows(begin, end), wide);
    part.weight = wide;
    part.out = product.out.slice(1, begin, end);
    if (!product.bias.empty()) part.bias = product.bias.rows(begin, end);
    multiply(device, part);
  }
}

void multiply(CudaDevice& device, const Product& product) {
  if (product.rows() == 0 || product.outputs() == 0) return;
  if (is_quantised(product.weight.dtype())) {
    if (multiply_few(device, product) || multiply_e4m3(device, product)) return;
    return multiply_widened(device, product);
  }
  if (stream_weights(device, product)) return;
  // Few rows that are not aligned stay away from cuBLASLt, which sums one row in another order than several.
  const bool few = product.rows() <= kMaxVectorRows;
  if (!few && product.x.dtype() == product.weight.dtype() && matrix_blas(device, product)) return;
  matrix_any(device, product);
}

}  // namespace

bool linear_heads(CudaDevice& device, const ConstTensorView& x, std::span<const LinearPart> parts, const TensorView& out, const HeadsEnd& end) {
  const std::vector<LinearPart> whole = merged(parts);
  if (whole.size() != 1) return false;
  return stream_weights(device, Product{.x = x, .weight = whole[0].weight, .bias = whole[0].bias, .out = out}, end);
}

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
  if (!is_quantised(out.dtype()) && stream_gates(device, x, gate, up, out)) return;
  const DType type = is_quantised(out.dtype()) ? DType::kBF16 : out.dtype();
  const DeviceMemory memory = device.allocate(static_cast<size_t>(rows * 2 * n) * size_of(type));
  const TensorView both(memory.get(), type, {rows, 2 * n});
  const LinearPart parts[] = {{.weight = gate, .bias = {}}, {.weight = up, .bias = {}}};
  linear(device, x, parts, both, {});
  swiglu(device, both.slice(1, 0, n), both.slice(1, n, 2 * n), out);
}

}  // namespace glyph::ops::cuda
