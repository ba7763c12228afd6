// The gate of a SwiGLU layer, element by element.
#include <algorithm>

#include "ops/cuda/elements.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/ops.h"
#include "ops/cuda/products.h"
#include "ops/cuda/quantise.cuh"

namespace glyph::ops::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int kPack = 8;

template <typename T, typename Out, int kWidth>
__global__ void swiglu_kernel(Matrix<const T> gates, Matrix<const T> ups, int64_t n, Matrix<Out> out) {
  let_next_kernel_start();
  wait_for_kernel_before();
  const int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kWidth, row = blockIdx.y;
  if (i >= n) return;
  float g[kWidth], u[kWidth];
  load(gates.row(row) + i, g);
  load(ups.row(row) + i, u);
#pragma unroll
  for (int j = 0; j < kWidth; ++j) g[j] = silu(g[j]) * u[j];
  store(g, out.row(row) + i);
}

// A whole row a block, because its scale depends on all of it: in registers as far as kItems packs a thread go.
constexpr unsigned kRowThreads = 512;
constexpr int kItems = 4;

template <typename T>
__device__ void gated(const T* gates, const T* ups, float (&g)[kPack]) {
  float u[kPack];
  load(gates, g);
  load(ups, u);
#pragma unroll
  for (int j = 0; j < kPack; ++j) g[j] = silu(g[j]) * u[j];
}

template <typename T>
__global__ void __launch_bounds__(kRowThreads)
    swiglu_rows_kernel(Matrix<const T> gates, Matrix<const T> ups, int64_t n, Matrix<E4M3> out, float* scales) {
  let_next_kernel_start();
  wait_for_kernel_before();
  const int64_t row = blockIdx.x;
  float value[kItems][kPack], largest = 0;
#pragma unroll
  for (int item = 0; item < kItems; ++item) {
    const int64_t i = (static_cast<int64_t>(item) * kRowThreads + threadIdx.x) * kPack;
    if (i >= n) break;
    gated(gates.row(row) + i, ups.row(row) + i, value[item]);
    largest = fmaxf(largest, largest_magnitude(value[item]));
  }
  const float factor = begin_e4m3_row(max_block(largest), scales + row);
#pragma unroll
  for (int item = 0; item < kItems; ++item) {
    const int64_t i = (static_cast<int64_t>(item) * kRowThreads + threadIdx.x) * kPack;
    if (i >= n) break;
#pragma unroll
    for (int j = 0; j < kPack; ++j) value[item][j] *= factor;
    store(value[item], out.row(row) + i);
  }
}

// False when a row is too long, or not aligned.
bool swiglu_rows(CudaDevice& device, const ConstTensorView& gates, const ConstTensorView& ups, const TensorView& out) {
  if (out.size(1) > int64_t{kRowThreads} * kItems * kPack) return false;
  if (!packs(gates, kPack) || !packs(ups, kPack) || !packs(out, kPack)) return false;
  with_type(gates.dtype(), [&](auto type) {
    using T = decltype(type);
    launch(device, "swiglu", swiglu_rows_kernel<T>,
           {static_cast<unsigned>(out.size(0)), kRowThreads, 0, Start::kRecorded}, matrix_of<T>(gates), matrix_of<T>(ups),
           out.size(1), matrix_of<E4M3>(out), static_cast<float*>(out.scales()));
  });
  return true;
}

}  // namespace

void swiglu(CudaDevice& device, const ConstTensorView& gates, const ConstTensorView& ups,
            const TensorView& out) {
  const int64_t n = out.size(1);
  if (!device.ok() || out.size(0) == 0 || n == 0) return;
  if (out.dtype() == DType::kE4M3) {
    if (swiglu_rows(device, gates, ups, out)) return;
    const DeviceMemory memory = device.allocate(static_cast<size_t>(out.size(0) * n) * sizeof(float));
    const TensorView wide_out(memory.get(), DType::kF32, out.shape());
    swiglu(device, gates, ups, wide_out);
    return quantise(device, wide_out, out);
  }
  const bool wide = packs(gates, kPack) && packs(ups, kPack) && packs(out, kPack);
  const int64_t items = wide ? n / kPack : n;
  constexpr int64_t kMaxGridY = 65535;
  for (int64_t begin = 0; begin < out.size(0); begin += kMaxGridY) {
    const int64_t rows = std::min(kMaxGridY, out.size(0) - begin);
    const dim3 grid(static_cast<unsigned>((items + kThreads - 1) / kThreads), static_cast<unsigned>(rows));
    const ConstTensorView g = gates.rows(begin, begin + rows), u = ups.rows(begin, begin + rows);
    const TensorView o = out.rows(begin, begin + rows);
    with_type(gates.dtype(), [&](auto type) {
      with_type(out.dtype(), [&](auto out_type) {
        using T = decltype(type);
        using Out = decltype(out_type);
        auto* kernel = wide ? swiglu_kernel<T, Out, kPack> : swiglu_kernel<T, Out, 1>;
        launch(device, "swiglu", kernel, {grid, kThreads, 0, Start::kRecorded}, matrix_of<T>(g), matrix_of<T>(u), n,
               matrix_of<Out>(o));
      });
    });
  }
}

}  // namespace glyph::ops::cuda
