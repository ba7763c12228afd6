// The gate of a SwiGLU layer, element by element.
#include <algorithm>

#include "ops/cuda/attention_ptx.cuh"
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
  silu(g);
#pragma unroll
  for (int j = 0; j < kWidth; ++j) g[j] *= u[j];
  store(g, out.row(row) + i);
}

// A row of e4m3 is a block's, because its scale depends on all of it, and stays in registers until that is known. Meanwhile the next
// rows of the block, kStages of them, come to shared memory. A thread fetches what it will read itself, so a row has one barrier, that of
// its maximum.
constexpr unsigned kMaxRowThreads = 512;
constexpr int kItems = 4;  // loads of 16 bytes a thread, of gates and of ups

template <typename T>
constexpr int kUnit = 16 / sizeof(T);

template <typename T>
struct GatedRows {
  Matrix<const T> gates, ups;
  int count, n;
};

template <typename T, int kStages>
__global__ void __launch_bounds__(kMaxRowThreads, 2)
    swiglu_rows_kernel(GatedRows<T> in, Matrix<E4M3> out, float* scales) {
  constexpr int kWidth = kUnit<T>;
  extern __shared__ uint4 staged[];     // (stages, items, gates and ups, threads)
  __shared__ float partial[2][kWarp];  // a row's are read while the next row's are written
  let_next_kernel_start();
  wait_for_kernel_before();
  const int threads = static_cast<int>(blockDim.x), first = static_cast<int>(threadIdx.x) * kWidth, step = threads * kWidth;
  // body(item, offset of its unit) for this thread's units inside a row.
  const auto each_unit = [&](const auto& body) {
#pragma unroll
    for (int item = 0; item < kItems; ++item) {
      if (first + item * step < in.n) body(item, item * step);
    }
  };
  const auto place = [&](int stage, int item) {
    return reinterpret_cast<T*>(staged + threadIdx.x) + (stage * kItems + item) * 2 * step;
  };
  int next = static_cast<int>(blockIdx.x);
  const auto fetch = [&](int stage) {
    if (next < in.count) {
      const T *gates = in.gates.row(next) + first, *ups = in.ups.row(next) + first;
      each_unit([&](int item, int offset) {
        copy_async(place(stage, item), gates + offset, true);
        copy_async(place(stage, item) + step, ups + offset, true);
      });
    }
    commit_copies();
    next += static_cast<int>(gridDim.x);
  };
  for (int stage = 0; stage < kStages; ++stage) fetch(stage);
  int stage = 0, odd = 0;
  for (int row = static_cast<int>(blockIdx.x); row < in.count; row += static_cast<int>(gridDim.x)) {
    wait_copies<kStages - 1>();
    float value[kItems][kWidth], largest = 0;
    each_unit([&](int item, int) {
      float up[kWidth];
      load(place(stage, item), value[item]);
      load(place(stage, item) + step, up);
      silu(value[item]);
#pragma unroll
      for (int j = 0; j < kWidth; ++j) value[item][j] *= up[j];
      largest = fmaxf(largest, largest_magnitude(value[item]));
    });
    fetch(stage);
    const float factor = begin_e4m3_row(max_magnitude_block(largest, partial[odd]), scales + row);
    E4M3* const to = out.row(row) + first;
    each_unit([&](int item, int offset) {
#pragma unroll
      for (int j = 0; j < kWidth; ++j) value[item][j] *= factor;
      store(value[item], to + offset);
    });
    stage = (stage + 1) % kStages;
    odd ^= 1;
  }
}

// False when a row is too long, or not aligned.
bool swiglu_rows(CudaDevice& device, const ConstTensorView& gates, const ConstTensorView& ups, const TensorView& out) {
  bool done = false;
  with_type(gates.dtype(), [&](auto type) {
    using T = decltype(type);
    constexpr int64_t kOfWarp = kWarp * kItems * kUnit<T>, kMaxRows = int64_t{1} << 30;
    const int64_t n = out.size(1), rows = out.size(0);
    const int64_t warps = (n + kOfWarp - 1) / kOfWarp;
    done = warps * kWarp <= kMaxRowThreads && rows <= kMaxRows && packs(gates, kUnit<T>) && packs(ups, kUnit<T>) && packs(out, kUnit<T>);
    if (!done) return;
    const auto threads = static_cast<unsigned>(warps * kWarp);
    const size_t stage_bytes = size_t{kItems} * 2 * 16 * threads;
    const bool two = 2 * stage_bytes <= device.max_shared_bytes();
    auto* kernel = two ? swiglu_rows_kernel<T, 2> : swiglu_rows_kernel<T, 1>;
    const size_t shared_bytes = (two ? 2 : 1) * stage_bytes;
    const auto blocks = static_cast<unsigned>(std::min(rows, blocks_at_once(device, kernel, threads, shared_bytes)));
    launch(device, "swiglu", kernel, {blocks, threads, shared_bytes, Start::kRecorded},
           {matrix_of<T>(gates), matrix_of<T>(ups), static_cast<int>(rows), static_cast<int>(n)}, matrix_of<E4M3>(out),
           static_cast<float*>(out.scales()));
  });
  return done;
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
