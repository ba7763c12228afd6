// Products of a few rows, bound by reading the weights once. A block owns kOutputs rows of the weight matrix; its
// threads share the inputs, 16 bytes of each weight row at a time, and add up at the end. The first weights are asked
// for while the kernel before still makes the inputs.
#include "ops/cuda/elements.cuh"
#include "ops/cuda/heads_end.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/product_work.cuh"
#include "ops/cuda/products.h"
#include "ops/cuda/reduce.cuh"

namespace glyph::ops::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kOutputs = 4;
constexpr int kAhead = 2;  // loads of each weight row under way a thread
constexpr int kBlocksAtOnce = 9;  // of a multiprocessor, for one row

using Work = ProductWork<int64_t>;

// The weights are read once and by one block: they need not stay in a cache.
__device__ inline uint4 stream_load(const void* from) { return __ldcs(static_cast<const uint4*>(from)); }

template <typename W>
struct Weights {
  static constexpr int kCount = 16 / sizeof(W);
  union {
    uint4 bits;
    W value[kCount];
  };
  __device__ Weights() : bits() {}
};

// Weight row of the block's i-th sum: four outputs, or two gates and their ups.
template <typename W, bool kSwiglu>
__device__ const W* weight_row(const Work& work, int i) {
  const int64_t wanted = kSwiglu ? static_cast<int64_t>(blockIdx.x) * (kOutputs / 2) + i % (kOutputs / 2)
                                 : static_cast<int64_t>(blockIdx.x) * kOutputs + i;
  const int64_t row = wanted < work.outputs ? wanted : work.outputs - 1;
  const bool second = kSwiglu && i >= kOutputs / 2;
  return static_cast<const W*>(second ? work.up : work.weight) + row * work.weight_stride;
}

// This thread's pieces of the block's weight rows, kAhead of each under way at any time.
template <typename W, bool kSwiglu>
struct WeightStream {
  static constexpr int kCount = Weights<W>::kCount;
  static constexpr int64_t kStep = static_cast<int64_t>(kThreads) * kCount;  // elements from one piece to the next
  const W* rows[kOutputs];
  int64_t depth;
  Weights<W> pieces[kAhead][kOutputs];

  __device__ explicit WeightStream(const Work& work) : depth(work.depth) {
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) rows[i] = weight_row<W, kSwiglu>(work, i);
#pragma unroll
    for (int a = 0; a < kAhead; ++a) start(a, first() + a * kStep);
  }
  __device__ static int64_t first() { return static_cast<int64_t>(threadIdx.x) * kCount; }
  // What follows the pieces that are under way, and is as much.
  __device__ void fetch_next() const {
    if (threadIdx.x % (kLineBytes / 16) != 0) return;
#pragma unroll
    for (int a = kAhead; a < 2 * kAhead; ++a) {
      const int64_t k = first() + a * kStep;
#pragma unroll
      for (int i = 0; i < kOutputs; ++i) {
        if (k < depth) fetch_line(rows[i] + k);
      }
    }
  }
  __device__ void start(int a, int64_t k) {
    if (k >= depth) return;
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) pieces[a][i].bits = stream_load(rows[i] + k);
  }
};

// Products of one piece of each weight row.
template <typename X, typename W, int kRows>
__device__ void add_piece(const Work& work, int64_t k, const Weights<W> (&weights)[kOutputs],
                          float (&sums)[kOutputs][kRows]) {
  constexpr int kCount = Weights<W>::kCount;
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const int64_t row = r < work.rows ? r : work.rows - 1;
    float x[kCount];
    load(static_cast<const X*>(work.x) + row * work.x_stride + k, x);
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) {
#pragma unroll
      for (int j = 0; j < kCount; ++j) sums[i][r] += to_f32(weights[i].value[j]) * x[j];
    }
  }
}

template <typename X, typename W, int kRows, bool kSwiglu>
__device__ void add_products(const Work& work, WeightStream<W, kSwiglu>& stream, float (&sums)[kOutputs][kRows]) {
  constexpr int64_t kStep = WeightStream<W, kSwiglu>::kStep;
  for (int64_t begin = stream.first(); begin < work.depth; begin += kAhead * kStep) {
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      const int64_t k = begin + a * kStep;
      if (k >= work.depth) break;
      add_piece<X>(work, k, stream.pieces[a], sums);
      stream.start(a, k + kAhead * kStep);
    }
  }
}

// What the warps of a block leave for each other.
template <int kRows>
struct Partials {
  float sum[kThreads / kWarp][kOutputs][kRows];

  __device__ void leave(const float (&sums)[kOutputs][kRows]) {
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) {
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        const float of_warp = reduce_warp(sums[i][r], [](float a, float b) { return a + b; });
        if (threadIdx.x % kWarp == 0) sum[threadIdx.x / kWarp][i][r] = of_warp;
      }
    }
  }
  __device__ float total(int i, int r) const {
    float all = 0;
#pragma unroll
    for (int w = 0; w < kThreads / kWarp; ++w) all += sum[w][i][r];
    return all;
  }
};

// Of a multiprocessor, at least. Kernels of several rows that end in heads are kept to as many as others have without being asked.
template <typename W, int kRows, typename End>
constexpr int at_once() {
  if (kRows == 1) return kBlocksAtOnce;
  if (!kEndsInHeads<End>) return 1;
  if (sizeof(W) == sizeof(float)) return kRows == 2 ? 6 : kRows == 4 ? 5 : 4;
  return kRows == 2 ? 5 : kRows == 4 ? 4 : 2;
}

template <typename X, typename W, typename Out, int kRows, bool kSwiglu, typename End>
__global__ void __launch_bounds__(kThreads, at_once<W, kRows, End>())
    matrix_vector_kernel(const __grid_constant__ Work work, const __grid_constant__ End end) {
  constexpr int kWritten = kSwiglu ? kOutputs / 2 : kOutputs;
  static_assert(kWritten * kRows <= kThreads, "a thread writes one result at most");
  __shared__ Partials<kRows> partials;
  let_next_kernel_start();
  WeightStream<W, kSwiglu> stream(work);
  const int i = static_cast<int>(threadIdx.x) / kRows, r = static_cast<int>(threadIdx.x) % kRows;
  const int64_t n = static_cast<int64_t>(blockIdx.x) * kWritten + i;
  const bool writes = i < kWritten && n < work.outputs && r < work.rows;
  const float bias = writes && work.bias != nullptr ? work.bias[n] : 0.0f;
  if (work.fetches) stream.fetch_next();
  if constexpr (kEndsInHeads<End>) heads_block<kRows, kWritten>().find_places(end, work);
  wait_for_kernel_before();
  if constexpr (kEndsInHeads<End>) heads_block<kRows, kWritten>().ask_for_angles(end, static_cast<int>(work.rows));

  float sums[kOutputs][kRows] = {};
  add_products<X>(work, stream, sums);
  partials.leave(sums);
  if constexpr (kEndsInHeads<End>) heads_block<kRows, kWritten>().wait_for_angles();
  __syncthreads();
  if constexpr (kEndsInHeads<End>) {
    static_assert(kWritten * kRows <= kWarp, "one warp has all results");
    if (threadIdx.x >= kWarp) return;
    const float value = i < kWritten ? partials.total(i, r) + bias : 0.0f, other = __shfl_xor_sync(0xFFFFFFFFu, value, kRows);
    if (writes) heads_block<kRows, kWritten>().put(end, r, i, value, other);
    return;
  }
  if (!writes) return;
  Out* to = static_cast<Out*>(work.out) + r * work.out_stride + n;
  float value = partials.total(i, r);
  if (kSwiglu) value = silu(value) * partials.total(i + kOutputs / 2, r);
  value += bias;
  if (work.accumulate) value += to_f32(*to);
  put(to, value);
}

template <typename X, typename W, typename Out, bool kSwiglu, typename End>
void launch_end(CudaDevice& device, Work work, const End& end, Start start) {
  constexpr int kWritten = kSwiglu ? kOutputs / 2 : kOutputs;
  const auto blocks = static_cast<unsigned>((work.outputs + kWritten - 1) / kWritten);
  work.fetches = work.rows == 1 && fetches_more(device, blocks, kBlocksAtOnce, start);
  auto* kernel = work.rows == 1   ? matrix_vector_kernel<X, W, Out, 1, kSwiglu, End>
                 : work.rows == 2 ? matrix_vector_kernel<X, W, Out, 2, kSwiglu, End>
                 : work.rows <= 4 ? matrix_vector_kernel<X, W, Out, 4, kSwiglu, End>
                                  : matrix_vector_kernel<X, W, Out, 8, kSwiglu, End>;
  launch(device, "matrix_vector", kernel, {blocks, kThreads, 0, start}, work, end);
}

template <typename X, typename W, bool kSwiglu>
void launch_rows(CudaDevice& device, const Work& work, Start start) {
  with_type(work.out_type, [&](auto type) { launch_end<X, W, decltype(type), kSwiglu>(device, work, RowsEnd{}, start); });
}

// A thread reads 16 bytes of weights and as many inputs.
bool fits(const ConstTensorView& x, const ConstTensorView& weight) {
  const auto count = static_cast<int64_t>(16 / size_of(weight.dtype()));
  return packs(weight, count) && x.size(1) % count == 0 && packs(x, static_cast<int64_t>(16 / size_of(x.dtype()))) &&
         packs(x, count);
}

template <bool kSwiglu>
void launch_types(CudaDevice& device, DType x_type, DType weight_type, const Work& work, Start start = Start::kRecorded) {
  if (x_type == DType::kBF16) {
    launch_rows<__nv_bfloat16, __nv_bfloat16, kSwiglu>(device, work, start);
  } else if (x_type == DType::kF16) {
    launch_rows<__half, __half, kSwiglu>(device, work, start);
  } else {
    with_type(weight_type,
                     [&](auto type) { launch_rows<float, decltype(type), kSwiglu>(device, work, start); });
  }
}

}  // namespace

bool matrix_vector(CudaDevice& device, const Product& p) {
  if (is_quantised(p.weight.dtype()) || !fits(p.x, p.weight)) return false;
  launch_types<false>(device, p.x.dtype(), p.weight.dtype(), work_of<int64_t>(p), start_of(p));
  return true;
}

bool matrix_vector(CudaDevice& device, const Product& p, const HeadsEnd& end) {
  if (p.x.dtype() != DType::kF32 || is_quantised(p.weight.dtype()) || end.table.kv.head_dim % kOutputs != 0 || !fits(p.x, p.weight)) return false;
  with_type(p.weight.dtype(),
            [&](auto type) { launch_end<float, decltype(type), float, false>(device, work_of<int64_t>(p), end, start_of(p)); });
  return true;
}

bool swiglu_matrix_vector(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& gate,
                          const ConstTensorView& up, const TensorView& out) {
  if (!fits(x, gate) || !fits(x, up) || gate.stride(0) != up.stride(0)) return false;
  launch_types<true>(device, x.dtype(), gate.dtype(), work_of<int64_t>(x, gate, up, out));
  return true;
}

}  // namespace glyph::ops::cuda
