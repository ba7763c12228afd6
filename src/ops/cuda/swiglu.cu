// The gate of a SwiGLU layer, element by element.
#include <algorithm>

#include "ops/cuda/elements.cuh"
#include "ops/cuda/products.h"

namespace glyph::ops::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int kPack = 8;

__device__ float silu(float x) { return x / (1.0f + expf(-x)); }

template <typename T, typename Out, int kWidth>
__global__ void swiglu_kernel(Matrix<const T> gates, Matrix<const T> ups, int64_t n, Matrix<Out> out) {
  const int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kWidth, row = blockIdx.y;
  if (i >= n) return;
  float g[kWidth], u[kWidth];
  load(gates.row(row) + i, g);
  load(ups.row(row) + i, u);
#pragma unroll
  for (int j = 0; j < kWidth; ++j) g[j] = silu(g[j]) * u[j];
  store(g, out.row(row) + i);
}

}  // namespace

void swiglu(CudaDevice& device, const ConstTensorView& gates, const ConstTensorView& ups,
            const TensorView& out) {
  const int64_t n = out.size(1);
  if (!device.ok() || out.size(0) == 0 || n == 0) return;
  const bool wide = packs(gates, kPack) && packs(ups, kPack) && packs(out, kPack);
  const int64_t items = wide ? n / kPack : n;
  constexpr int64_t kMaxGridY = 65535;
  for (int64_t begin = 0; begin < out.size(0); begin += kMaxGridY) {
    const int64_t rows = std::min(kMaxGridY, out.size(0) - begin);
    const dim3 grid(static_cast<unsigned>((items + kThreads - 1) / kThreads), static_cast<unsigned>(rows));
    const ConstTensorView g = gates.rows(begin, begin + rows), u = ups.rows(begin, begin + rows);
    const TensorView o = out.rows(begin, begin + rows);
    with_output_type(gates.dtype(), [&](auto type) {
      with_output_type(out.dtype(), [&](auto out_type) {
        using T = decltype(type);
        using Out = decltype(out_type);
        auto* kernel = wide ? swiglu_kernel<T, Out, kPack> : swiglu_kernel<T, Out, 1>;
        kernel<<<grid, kThreads, 0, device.stream()>>>(matrix_of<T>(g), matrix_of<T>(u), n, matrix_of<Out>(o));
      });
    });
  }
  device.note_launch("swiglu");
}

}  // namespace glyph::ops::cuda
