// Products of a few rows, bound by reading the weights once. A block owns some rows of the weight matrix; its threads share the
// inputs, 16 bytes of each weight row at a time, and add up at the end. The first weights are asked for while the kernel before
// still makes the inputs.
#include "ops/cuda/elements.cuh"
#include "ops/cuda/heads_end.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/product_work.cuh"
#include "ops/cuda/products.h"
#include "ops/cuda/quantise.cuh"
#include "ops/cuda/reduce.cuh"

namespace glyph::ops::cuda {
namespace {

constexpr int kThreads = 128;

// 16 bytes of weights, a piece: how many they are, how a word of them becomes f32, and how a block takes them.
template <typename W>
struct Weights {
  static constexpr int kCount = 16 / sizeof(W);
  static constexpr bool kRowScales = false;   // one f32 for a weight row
  static constexpr bool kGroups = false;      // one bf16 for kQuantGroup weights
  static constexpr int kOutputs = 4;          // sums of a block
  static constexpr int kAhead = 2;            // pieces of each weight row under way a thread
  static constexpr int kBlocksAtOnce = 9;     // of a multiprocessor, for one row of x

  __device__ static void widen(uint32_t word, float* to) {
    W values[4 / sizeof(W)];
    memcpy(values, &word, sizeof(word));
#pragma unroll
    for (int i = 0; i < static_cast<int>(4 / sizeof(W)); ++i) to[i] = to_f32(values[i]);
  }
};
template <>
struct Weights<E4M3> {
  static constexpr int kCount = 16;
  static constexpr bool kRowScales = true, kGroups = false;
  static constexpr int kOutputs = 4, kAhead = 2, kBlocksAtOnce = 8;

  __device__ static void widen(uint32_t word, float* to) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float2 two = __half22float2(__half2(__nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(word >> 16 * i), __NV_E4M3)));
      to[2 * i] = two.x;
      to[2 * i + 1] = two.y;
    }
  }
};
struct I8 {};
template <>
struct Weights<I8> {
  static constexpr int kCount = 16;
  static constexpr bool kRowScales = false, kGroups = true;
  static constexpr int kOutputs = 8, kAhead = 2, kBlocksAtOnce = 4;

  // As 2^23 + 128 + q, whose last byte is 128 + q.
  __device__ static void widen(uint32_t word, float* to) {
    const uint32_t shifted = word ^ 0x80808080u;
#pragma unroll
    for (int i = 0; i < 4; ++i) to[i] = __uint_as_float(__byte_perm(shifted, 0x4B000000u, 0x7440 + i)) - 8388736.0f;
  }
};
struct I4 {};
template <>
struct Weights<I4> {
  static constexpr int kCount = 32;
  static constexpr bool kRowScales = false, kGroups = true;
  static constexpr int kOutputs = 8, kAhead = 1, kBlocksAtOnce = 4;

  // Elements i and i + 4: as f16 numbers 1024 + 8 + q, which are exact.
  __device__ static void widen(uint32_t word, float* to) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const uint32_t bits = (word >> 4 * i & 0x000F000Fu) | 0x64006400u;
      const float2 two = __half22float2(__hsub2(*reinterpret_cast<const __half2*>(&bits), __float2half2_rn(1032.0f)));
      to[i] = two.x;
      to[i + 4] = two.y;
    }
  }
};

template <typename W>
constexpr bool kQuantised = Weights<W>::kRowScales || Weights<W>::kGroups;

using Work = ScaledWork;

// This thread's pieces of the block's weight rows, kAhead of each under way at any time.
template <typename W, bool kSwiglu>
struct WeightStream {
  static constexpr int kCount = Weights<W>::kCount, kOutputs = Weights<W>::kOutputs, kAhead = Weights<W>::kAhead;
  static constexpr bool kGroups = Weights<W>::kGroups;
  static constexpr int64_t kStep = static_cast<int64_t>(kThreads) * kCount;  // elements from one piece to the next
  const char* rows[kOutputs];
  const uint16_t* scale_rows[kGroups ? kOutputs : 1];
  int64_t depth;
  uint4 pieces[kAhead][kOutputs];
  uint16_t scales[kAhead][kGroups ? kOutputs : 1];

  // Of the block's i-th sum: an output, or gates and their ups.
  __device__ explicit WeightStream(const Work& work) : depth(work.depth) {
    constexpr int kWritten = kSwiglu ? kOutputs / 2 : kOutputs;
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) {
      const bool up = i >= kWritten;
      const int64_t row = min(static_cast<int64_t>(blockIdx.x) * kWritten + i % kWritten, work.outputs - 1);
      rows[i] = static_cast<const char*>(up ? work.up : work.weight) + bytes_to(row * work.weight_stride);
      if constexpr (kGroups) scale_rows[i] = static_cast<const uint16_t*>(up ? work.up_scales : work.scales) + row * (depth / kQuantGroup);
    }
#pragma unroll
    for (int a = 0; a < kAhead; ++a) start(a, first() + a * kStep);
  }
  __device__ static int64_t first() { return static_cast<int64_t>(threadIdx.x) * kCount; }
  __device__ static int64_t bytes_to(int64_t k) { return k * 16 / kCount; }
  // What follows the pieces that are under way, and is as much.
  __device__ void fetch_next() const {
    if (threadIdx.x % (kLineBytes / 16) != 0) return;
#pragma unroll
    for (int a = kAhead; a < 2 * kAhead; ++a) {
      const int64_t k = first() + a * kStep;
#pragma unroll
      for (int i = 0; i < kOutputs; ++i) {
        if (k < depth) fetch_line(rows[i] + bytes_to(k));
      }
    }
  }
  // The weights are read once and by one block: they need not stay in a cache.
  __device__ void start(int a, int64_t k) {
    if (k >= depth) return;
#pragma unroll
    for (int i = 0; i < kOutputs; ++i) {
      pieces[a][i] = __ldcs(reinterpret_cast<const uint4*>(rows[i] + bytes_to(k)));
      if constexpr (kGroups) scales[a][i] = scale_rows[i][k / kQuantGroup];
    }
  }
  // kPart weights of piece a of row i, from word `word` on.
  template <int kPart>
  __device__ void widen(int a, int i, int word, float (&to)[kPart]) const {
    const uint32_t words[4] = {pieces[a][i].x, pieces[a][i].y, pieces[a][i].z, pieces[a][i].w};
#pragma unroll
    for (int w = 0; w < kPart * 4 / kCount; ++w) Weights<W>::widen(words[word + w], to + w * kCount / 4);
  }
};

// Products of one piece of each weight row, a part of it at a time.
template <typename X, int kRows, typename Stream>
__device__ void add_piece(const Work& work, int64_t k, const Stream& stream, int a, float (&sums)[Stream::kOutputs][kRows]) {
  constexpr int kPart = Stream::kCount < 8 ? Stream::kCount : 8;
  float of_group[Stream::kOutputs][kRows] = {};
  auto& to = Stream::kGroups ? of_group : sums;
#pragma unroll
  for (int begin = 0; begin < Stream::kCount; begin += kPart) {
    float w[Stream::kOutputs][kPart];
#pragma unroll
    for (int i = 0; i < Stream::kOutputs; ++i) stream.widen(a, i, begin * 4 / Stream::kCount, w[i]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const int64_t row = r < work.rows ? r : work.rows - 1;
      float x[kPart];
      load(static_cast<const X*>(work.x) + row * work.x_stride + k + begin, x);
#pragma unroll
      for (int i = 0; i < Stream::kOutputs; ++i) {
#pragma unroll
        for (int j = 0; j < kPart; ++j) to[i][r] += w[i][j] * x[j];
      }
    }
  }
  if constexpr (Stream::kGroups) {
#pragma unroll
    for (int i = 0; i < Stream::kOutputs; ++i) {
      const float scale = __uint_as_float(static_cast<uint32_t>(stream.scales[a][i]) << 16);
#pragma unroll
      for (int r = 0; r < kRows; ++r) sums[i][r] += scale * of_group[i][r];
    }
  }
}

template <typename X, int kRows, typename Stream>
__device__ void add_products(const Work& work, Stream& stream, float (&sums)[Stream::kOutputs][kRows]) {
  for (int64_t begin = stream.first(); begin < work.depth; begin += Stream::kAhead * Stream::kStep) {
#pragma unroll
    for (int a = 0; a < Stream::kAhead; ++a) {
      const int64_t k = begin + a * Stream::kStep;
      if (k >= work.depth) break;
      add_piece<X>(work, k, stream, a, sums);
      stream.start(a, k + Stream::kAhead * Stream::kStep);
    }
  }
}

// What the warps of a block leave for each other.
template <int kOutputs, int kRows>
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
  if (kRows == 1) return Weights<W>::kBlocksAtOnce;
  if (!kEndsInHeads<End>) return 1;
  if (sizeof(W) == sizeof(float)) return kRows == 2 ? 6 : kRows == 4 ? 5 : 4;
  return kRows == 2 ? 5 : kRows == 4 ? 4 : 2;
}

template <typename X, typename W, int kRows, bool kSwiglu, typename End>
__global__ void __launch_bounds__(kThreads, at_once<W, kRows, End>())
    matrix_vector_kernel(const __grid_constant__ Work work, const __grid_constant__ End end) {
  using Of = Weights<W>;
  constexpr int kWritten = kSwiglu ? Of::kOutputs / 2 : Of::kOutputs;
  static_assert(kWritten * kRows <= kThreads, "a thread writes one result at most");
  __shared__ Partials<Of::kOutputs, kRows> partials;
  let_next_kernel_start();
  WeightStream<W, kSwiglu> stream(work);
  const int i = static_cast<int>(threadIdx.x) / kRows, r = static_cast<int>(threadIdx.x) % kRows;
  const int64_t n = static_cast<int64_t>(blockIdx.x) * kWritten + i;
  const bool writes = i < kWritten && n < work.outputs && r < work.rows;
  const float bias = writes && work.bias != nullptr ? work.bias[n] : 0.0f;
  const float scale = Of::kRowScales && writes ? static_cast<const float*>(work.scales)[n] : 1.0f;
  const float up_scale = Of::kRowScales && kSwiglu && writes ? static_cast<const float*>(work.up_scales)[n] : 1.0f;
  if (work.fetches) stream.fetch_next();
  if constexpr (kEndsInHeads<End>) heads_block<kRows, kWritten>().find_places(end, work);
  wait_for_kernel_before();
  if constexpr (kEndsInHeads<End>) heads_block<kRows, kWritten>().ask_for_angles(end, static_cast<int>(work.rows));

  float sums[Of::kOutputs][kRows] = {};
  add_products<X>(work, stream, sums);
  partials.leave(sums);
  if constexpr (kEndsInHeads<End>) heads_block<kRows, kWritten>().wait_for_angles();
  __syncthreads();
  if constexpr (kEndsInHeads<End>) {
    static_assert(kWritten * kRows <= kWarp, "one warp has all results");
    if (threadIdx.x >= kWarp) return;
    const float value = i < kWritten ? __fmul_rn(scale, partials.total(i, r)) + bias : 0.0f, other = __shfl_xor_sync(0xFFFFFFFFu, value, kRows);
    if (writes) heads_block<kRows, kWritten>().put(end, r, i, value, other);
    return;
  }
  if (!writes) return;
  float value = __fmul_rn(scale, partials.total(i, r));
  if (kSwiglu) value = silu(value) * (up_scale * partials.total(i + kWritten, r));
  put_result(work.out, work.out_type, r * work.out_stride + n, value + bias, work.accumulate);
}

template <typename X, typename W, bool kSwiglu, typename End = RowsEnd>
void launch_rows(CudaDevice& device, Work work, Start start, const End& end = {}) {
  constexpr int kWritten = kSwiglu ? Weights<W>::kOutputs / 2 : Weights<W>::kOutputs;
  const auto blocks = static_cast<unsigned>((work.outputs + kWritten - 1) / kWritten);
  work.fetches = work.rows == 1 && fetches_more(device, blocks, Weights<W>::kBlocksAtOnce, start);
  auto* kernel = matrix_vector_kernel<X, W, 1, kSwiglu, End>;
  if constexpr (!kQuantised<W>) {
    if (work.rows == 2) kernel = matrix_vector_kernel<X, W, 2, kSwiglu, End>;
    else if (work.rows > 4) kernel = matrix_vector_kernel<X, W, 8, kSwiglu, End>;
    else if (work.rows > 2) kernel = matrix_vector_kernel<X, W, 4, kSwiglu, End>;
  }
  launch(device, "matrix_vector", kernel, {blocks, kThreads, 0, start}, work, end);
}

// A thread reads 16 bytes of weights and as many inputs.
bool fits(const ConstTensorView& x, const ConstTensorView& weight) {
  if (is_quantised(weight.dtype())) return x.size(0) == 1 && x.dtype() == DType::kBF16 && packs(x, 8) && has_pieces(x, weight);
  const auto count = static_cast<int64_t>(16 / size_of(weight.dtype()));
  return x.size(0) <= kMaxVectorRows && packs(weight, count) && x.size(1) % count == 0 && packs(x, static_cast<int64_t>(16 / size_of(x.dtype()))) &&
         packs(x, count);
}

// run() of a value of each type: of x, and of weights.
template <typename Run>
void with_types(DType x, DType weight, const Run& run) {
  if (weight == DType::kE4M3) return run(__nv_bfloat16{}, std::type_identity<E4M3>{});
  if (weight == DType::kI8) return run(__nv_bfloat16{}, std::type_identity<I8>{});
  if (weight == DType::kI4) return run(__nv_bfloat16{}, std::type_identity<I4>{});
  if (x == DType::kBF16) return run(__nv_bfloat16{}, std::type_identity<__nv_bfloat16>{});
  if (x == DType::kF16) return run(__half{}, std::type_identity<__half>{});
  with_type(weight, [&](auto type) { run(float{}, std::type_identity<decltype(type)>{}); });
}

}  // namespace

bool matrix_vector(CudaDevice& device, const Product& p) {
  if (!fits(p.x, p.weight)) return false;
  with_types(p.x.dtype(), p.weight.dtype(), [&]<typename X, typename W>(X, std::type_identity<W>) {
    launch_rows<X, W, false>(device, scaled_work_of(p), start_of(p));
  });
  return true;
}

bool matrix_vector(CudaDevice& device, const Product& p, const HeadsEnd& end) {
  const bool quantised = is_quantised(p.weight.dtype());
  if ((!quantised && p.x.dtype() != DType::kF32) || end.table.kv.head_dim % (quantised ? 8 : 4) != 0 || !fits(p.x, p.weight)) return false;
  with_types(p.x.dtype(), p.weight.dtype(), [&]<typename X, typename W>(X, std::type_identity<W>) {
    if constexpr (std::is_same_v<X, float> || kQuantised<W>) launch_rows<X, W, false>(device, scaled_work_of(p), start_of(p), end);
  });
  return true;
}

bool swiglu_matrix_vector(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& gate,
                          const ConstTensorView& up, const TensorView& out) {
  if (gate.dtype() != up.dtype() || !fits(x, gate) || !fits(x, up) || gate.stride(0) != up.stride(0)) return false;
  with_types(x.dtype(), gate.dtype(), [&]<typename X, typename W>(X, std::type_identity<W>) {
    launch_rows<X, W, true>(device, scaled_work_of(x, gate, up, out), Start::kRecorded);
  });
  return true;
}

}  // namespace glyph::ops::cuda
