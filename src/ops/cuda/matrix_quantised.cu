// Products of a few bf16 rows with quantised weights, bound by reading the weights once. They are widened to bf16 in
// registers (a scale of a group included; the scale of an e4m3 row is exact at the end) and meet the rows on the
// tensor cores, whose 8 columns make up to 8 rows as cheap as one.
//
// A block owns 16 rows of the weights, or 8 gates and their ups; its warps share the inputs. A lane reads 16 bytes of
// one weight row at a time: any order of the inputs will do, so lane t of four takes the t-th 16 bytes of 64, and the
// inputs are put into the same order.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <limits>

#include "ops/cuda/attention_ptx.cuh"
#include "ops/cuda/elements.cuh"
#include "ops/cuda/heads_end.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/product_work.cuh"
#include "ops/cuda/products.h"
#include "ops/cuda/quantise.cuh"

namespace glyph::ops::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = 32 * kWarps;
constexpr int kAhead = 4;    // 16 bytes of each of a lane's two weight rows under way, so many times
constexpr int kOutputs = 16;  // weight rows of a block
constexpr int kColumns = 8;   // rows of x in one product of the tensor cores

struct QuantisedWork {
  const __nv_bfloat16* x;
  int64_t x_stride;
  const uint8_t* weight;
  const uint8_t* up;  // of swiglu, else null: `weight` is then gate
  const void* weight_scales;
  const void* up_scales;
  int64_t row_bytes;
  const float* bias;
  void* out;
  int64_t out_stride;
  DType out_type;
  int64_t rows, outputs, depth;
  bool accumulate;
  bool fetches = false;  // the next weights into the cache, too, before it waits: all blocks wait
};

// How 16 bytes of weights become pairs of bf16, and which two of their inputs meet a pair.
struct E4M3Weights {
  static constexpr int kCount = 16;
  static constexpr bool kGroups = false;
  __device__ static void widen(uint32_t word, uint32_t, uint32_t (&pairs)[2]) { widen_e4m3(word, pairs); }
};
struct I8Weights {
  static constexpr int kCount = 16;
  static constexpr bool kGroups = true;
  // Elements 0 and 2, 1 and 3: as f16 numbers 1024 + 128 + q, which are exact, then as bf16.
  __device__ static void widen(uint32_t word, uint32_t scale, uint32_t (&pairs)[2]) {
    const uint32_t shifted = word ^ 0x80808080u;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const uint32_t bits = __byte_perm(shifted, 0x64646464u, i == 0 ? 0x4240 : 0x4341);
      const __half2 integers = __hsub2(*reinterpret_cast<const __half2*>(&bits), __float2half2_rn(1152.0f));
      const float2 wide = __half22float2(integers);
      pairs[i] = multiply_pair(pack_pair<__nv_bfloat16>(wide.x, wide.y), scale);
    }
  }
};
struct I4Weights {
  static constexpr int kCount = 32;
  static constexpr bool kGroups = true;
  // Elements i and i + 4: as bf16 numbers 128 + 8 + q, which are exact.
  __device__ static uint32_t pair(uint32_t word, int i, uint32_t scale) {
    const uint32_t bits = (word >> 4 * i & 0x000F000Fu) | 0x43004300u;
    const __nv_bfloat162 integers =
        __hsub2(*reinterpret_cast<const __nv_bfloat162*>(&bits), __float2bfloat162_rn(136.0f));
    return multiply_pair(*reinterpret_cast<const uint32_t*>(&integers), scale);
  }
};

// 16 bytes of weights as left operands of kCount / 4 products: two pairs for each.
template <typename W>
__device__ inline void widen_all(const uint4& bits, uint32_t scale, uint32_t (&pairs)[W::kCount / 4][2]) {
  const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if constexpr (W::kCount == 16) {
      W::widen(words[i], scale, pairs[i]);
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) pairs[2 * i + j / 2][j % 2] = W::pair(words[i], j, scale);
    }
  }
}

// The inputs of the same elements, pair by pair.
template <typename W>
__device__ inline void load_inputs(const __nv_bfloat16* x, uint32_t (&pairs)[W::kCount / 4][2]) {
  constexpr int kWords = W::kCount / 2;
  uint32_t words[kWords];
#pragma unroll
  for (int i = 0; i < kWords; i += 4) {
    const uint4 some = *reinterpret_cast<const uint4*>(x + 2 * i);
    words[i] = some.x;
    words[i + 1] = some.y;
    words[i + 2] = some.z;
    words[i + 3] = some.w;
  }
#pragma unroll
  for (int i = 0; i < W::kCount / 4; ++i) {
    // Words that hold the first and the second element of the pairs: 2 i and 2 i + 1; of i4, of 4 words, 0 and 2 or 1 and 3.
    const int first = W::kCount == 16 ? 2 * i : i / 2 * 4 + i % 2, second = W::kCount == 16 ? first + 1 : first + 2;
    pairs[i][0] = __byte_perm(words[first], words[second], 0x5410);
    pairs[i][1] = __byte_perm(words[first], words[second], 0x7632);
  }
}

// A lane's pieces of its two weight rows and their scales, kAhead of each under way at any time. A piece is what the lane
// has of a chunk: kCount of the 4 kCount inputs that the four lanes of a row take together.
template <typename W, bool kSwiglu>
struct WeightStream {
  static constexpr int kChunk = 4 * W::kCount;
  const uint8_t* weights[2];
  const uint16_t* scales[2];  // of groups
  int depth;
  uint4 bits[kAhead][2];
  uint32_t group_scales[kAhead][2];

  __device__ explicit WeightStream(const QuantisedWork& work) : depth(static_cast<int>(work.depth)) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int64_t first_row = static_cast<int64_t>(blockIdx.x) * (kSwiglu ? kOutputs / 2 : kOutputs) + lane / 4;
    const int64_t last = work.outputs - 1;
    const int64_t rows[2] = {min(first_row, last), min(kSwiglu ? first_row : first_row + kOutputs / 2, last)};
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const bool up = kSwiglu && i == 1;
      weights[i] = kept((up ? work.up : work.weight) + rows[i] * work.row_bytes);
      if (!W::kGroups) continue;
      scales[i] = kept(static_cast<const uint16_t*>(up ? work.up_scales : work.weight_scales) + rows[i] * (depth / kQuantGroup));
    }
#pragma unroll
    for (int a = 0; a < kAhead; ++a) start(a, first() + chunk_after(a));
  }
  // The warps take turns: two chunks each, which are a line of memory.
  __device__ static int first() { return static_cast<int>(threadIdx.x) / 32 * 2; }
  __device__ static int chunk_after(int a) { return a / 2 * 2 * kWarps + a % 2; }
  // What follows the pieces that are under way, and is as much. The warp's two chunks are a line.
  __device__ void fetch_next() const {
    if (threadIdx.x % 4 != 0) return;
#pragma unroll
    for (int a = 0; a < kAhead; a += 2) {
      const int k = input_of(first() + chunk_after(a) + kWarps * kAhead);
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (k < depth) fetch_line(weights[i] + k / (W::kCount / 16));
      }
    }
  }
  __device__ int num_chunks() const { return (depth + kChunk - 1) / kChunk; }
  // The lane's first input of a chunk, which may lie behind the last one: its weights are zeros then.
  __device__ static int input_of(int chunk) { return chunk * kChunk + static_cast<int>(threadIdx.x) % 4 * W::kCount; }
  __device__ void start(int a, int chunk) {
    const int k = input_of(chunk);
    const bool there = k < depth;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      bits[a][i] = there ? __ldcs(reinterpret_cast<const uint4*>(weights[i] + k / (W::kCount / 16))) : uint4{};
      group_scales[a][i] = W::kGroups && there ? scales[i][k / kQuantGroup] * 0x10001u : 0;  // twice
    }
  }
};

// sums[i] as multiply_add() leaves them: weight rows by rows of x.
template <typename W, int kTiles, bool kSwiglu>
__device__ inline void add_products(const QuantisedWork& work, WeightStream<W, kSwiglu>& stream,
                                    float (&sums)[kTiles][4]) {
  const int lane = static_cast<int>(threadIdx.x) % 32, num_chunks = stream.num_chunks();
  // Of each tile, or of the last row where there are not as many: what a tile's columns have too many of is never looked at.
  const __nv_bfloat16* rows[kTiles];
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    rows[tile] = kept(work.x + min(static_cast<int64_t>(tile * kColumns + lane / 4), work.rows - 1) * work.x_stride);
  }
  for (int begin = stream.first(); begin < num_chunks; begin += kWarps * kAhead) {
#pragma unroll
    for (int a = 0; a < kAhead; ++a) {
      const int chunk = begin + stream.chunk_after(a);
      if (chunk >= num_chunks) break;
      const int k = stream.input_of(chunk), there = k < stream.depth ? k : 0;  // zeros take any inputs
      uint32_t left[2][W::kCount / 4][2];
#pragma unroll
      for (int i = 0; i < 2; ++i) widen_all<W>(stream.bits[a][i], stream.group_scales[a][i], left[i]);
      stream.start(a, chunk + kWarps * kAhead);
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        uint32_t right[W::kCount / 4][2];
        load_inputs<W>(rows[tile] + there, right);
#pragma unroll
        for (int s = 0; s < W::kCount / 4; ++s) {
          const uint32_t operand[4] = {left[0][s][0], left[1][s][0], left[0][s][1], left[1][s][1]};
          multiply_add<__nv_bfloat16>(sums[tile], operand, right[s][0], right[s][1]);
        }
      }
    }
  }
}

// What the results are made with at the end: scales of e4m3 rows, biases.
template <typename W, bool kSwiglu>
__device__ inline void fetch_epilogue(const QuantisedWork& work) {
  constexpr int kWritten = kSwiglu ? kOutputs / 2 : kOutputs;
  if (threadIdx.x != 0) return;
  const int64_t n = static_cast<int64_t>(blockIdx.x) * kWritten;
  if (work.bias != nullptr) fetch_line(work.bias + n);
  if (W::kGroups) return;
  fetch_line(static_cast<const float*>(work.weight_scales) + n);
  if (kSwiglu) fetch_line(static_cast<const float*>(work.up_scales) + n);
}

// Of a multiprocessor: what the registers allow without spilling.
template <typename W, int kTiles>
constexpr int kBlocksAtOnce = W::kGroups || kTiles > 1 ? 2 : 3;

template <typename W, int kTiles, bool kSwiglu, typename End>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce<W, kTiles>)
    quantised_kernel(const __grid_constant__ QuantisedWork work, const __grid_constant__ End end) {
  constexpr int kWritten = kSwiglu ? kOutputs / 2 : kOutputs, kRows = kTiles * kColumns;
  __shared__ float4 partial[kWarps][kTiles][32];
  let_next_kernel_start();
  WeightStream<W, kSwiglu> stream(work);
  fetch_epilogue<W, kSwiglu>(work);
  if (work.fetches) stream.fetch_next();
  if constexpr (kEndsInHeads<End>) heads_block<kRows, kWritten>().find_places(end, work);
  wait_for_kernel_before();
  if constexpr (kEndsInHeads<End>) heads_block<kRows, kWritten>().ask_for_angles(end, static_cast<int>(work.rows));
  float sums[kTiles][4] = {};
  add_products<W, kTiles>(work, stream, sums);
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    partial[warp][tile][lane] = make_float4(sums[tile][0], sums[tile][1], sums[tile][2], sums[tile][3]);
  }
  if constexpr (kEndsInHeads<End>) heads_block<kRows, kWritten>().wait_for_angles();
  __syncthreads();
  // Sum number m (weight row of the block) of row `column` of a tile, over all warps, with the scale of an e4m3 row.
  const auto total = [&](int tile, int m, int column, const void* scales, int64_t n) {
    float sum = 0;
    for (int w = 0; w < kWarps; ++w) {
      const auto* of_lane = reinterpret_cast<const float*>(&partial[w][tile][m % 8 * 4 + column / 2]);
      sum += of_lane[m / 8 * 2 + column % 2];
    }
    return W::kGroups ? sum : __fmul_rn(sum, static_cast<const float*>(scales)[n]);  // rounded before the bias, whatever the end
  };
  for (int at = static_cast<int>(threadIdx.x); at < kRows * kWritten; at += kThreads) {
    const int m = at % kWritten, column = at / kWritten % kColumns, tile = at / kWritten / kColumns;
    const int64_t n = static_cast<int64_t>(blockIdx.x) * kWritten + m, row = tile * kColumns + column;
    // Pairs meet in whole warps, whose rows may be more than there are; heads fill their blocks.
    if (!kEndsInHeads<End> && (n >= work.outputs || row >= work.rows)) continue;
    float value = total(tile, m, column, work.weight_scales, n);
    if constexpr (kSwiglu) value = silu(value) * total(tile, m + kOutputs / 2, column, work.up_scales, n);
    if (work.bias != nullptr) value += work.bias[n];
    if constexpr (kEndsInHeads<End>) {
      const float other = __shfl_xor_sync(0xFFFFFFFFu, value, 1);
      if (row < work.rows) heads_block<kRows, kWritten>().put(end, static_cast<int>(row), m, value, other);
    } else {
      put_result(work.out, work.out_type, row * work.out_stride + n, value, work.accumulate);
    }
  }
}

template <typename W, bool kSwiglu, typename End>
void launch_type(CudaDevice& device, QuantisedWork work, const End& end) {
  constexpr int kWritten = kSwiglu ? kOutputs / 2 : kOutputs;
  const auto blocks = static_cast<unsigned>((work.outputs + kWritten - 1) / kWritten);
  auto* kernel = work.rows <= kColumns       ? quantised_kernel<W, 1, kSwiglu, End>
                 : work.rows <= 2 * kColumns ? quantised_kernel<W, 2, kSwiglu, End>
                                             : quantised_kernel<W, 4, kSwiglu, End>;
  work.fetches = fetches_more(device, blocks, work.rows <= kColumns ? kBlocksAtOnce<W, 1> : kBlocksAtOnce<W, 4>, Start::kRecorded);
  launch(device, "matrix_quantised", kernel, {blocks, kThreads, 0, Start::kRecorded}, work, end);
}

template <bool kSwiglu, typename End = RowsEnd>
void launch_types(CudaDevice& device, DType weights, const QuantisedWork& work, const End& end = {}) {
  if (weights == DType::kE4M3) {
    launch_type<E4M3Weights, kSwiglu>(device, work, end);
  } else if (weights == DType::kI8) {
    launch_type<I8Weights, kSwiglu>(device, work, end);
  } else {
    launch_type<I4Weights, kSwiglu>(device, work, end);
  }
}

// Every lane's 16 bytes of weights, and its inputs, are aligned to 16 bytes.
bool fits(const ConstTensorView& x, const ConstTensorView& weight) {
  const int64_t inputs = weight.dtype() == DType::kI4 ? 32 : 16;
  const int64_t row_bytes = bytes_of(weight.dtype(), weight.stride(0));
  return x.size(0) <= kMaxQuantisedVectorRows && x.size(1) % inputs == 0 && x.size(1) < std::numeric_limits<int>::max() / 2 && row_bytes % 16 == 0 &&
         reinterpret_cast<uintptr_t>(weight.raw()) % 16 == 0 && reinterpret_cast<uintptr_t>(x.raw()) % 16 == 0 &&
         (x.size(0) == 1 || x.stride(0) % 8 == 0);
}

QuantisedWork work_of(const Product& p) {
  return {.x = static_cast<const __nv_bfloat16*>(p.x.raw()),
          .x_stride = p.x.stride(0),
          .weight = static_cast<const uint8_t*>(p.weight.raw()),
          .up = nullptr,
          .weight_scales = p.weight.scales(),
          .up_scales = nullptr,
          .row_bytes = bytes_of(p.weight.dtype(), p.weight.stride(0)),
          .bias = p.bias.empty() ? nullptr : p.bias.data<float>(),
          .out = p.out.raw(),
          .out_stride = p.out.stride(0),
          .out_type = p.out.dtype(),
          .rows = p.rows(),
          .outputs = p.outputs(),
          .depth = p.depth(),
          .accumulate = p.accumulate};
}

}  // namespace

bool matrix_quantised(CudaDevice& device, const Product& p) {
  if (p.x.dtype() != DType::kBF16 || !fits(p.x, p.weight)) return false;
  launch_types<false>(device, p.weight.dtype(), work_of(p));
  return true;
}

bool matrix_quantised(CudaDevice& device, const Product& p, const HeadsEnd& end) {
  if (p.x.dtype() != DType::kBF16 || end.table.kv.head_dim % kOutputs != 0 || !fits(p.x, p.weight)) return false;
  launch_types<false>(device, p.weight.dtype(), work_of(p), end);
  return true;
}

bool swiglu_matrix_quantised(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& gate,
                             const ConstTensorView& up, const TensorView& out) {
  if (x.dtype() != DType::kBF16 || !fits(x, gate) || !fits(x, up) || gate.stride(0) != up.stride(0)) return false;
  launch_types<true>(device, gate.dtype(),
               {.x = static_cast<const __nv_bfloat16*>(x.raw()),
                .x_stride = x.stride(0),
                .weight = static_cast<const uint8_t*>(gate.raw()),
                .up = static_cast<const uint8_t*>(up.raw()),
                .weight_scales = gate.scales(),
                .up_scales = up.scales(),
                .row_bytes = bytes_of(gate.dtype(), gate.stride(0)),
                .bias = nullptr,
                .out = out.raw(),
                .out_stride = out.stride(0),
                .out_type = out.dtype(),
                .rows = x.size(0),
                .outputs = gate.size(0),
                .depth = x.size(1),
                .accumulate = false});
  return true;
}

}  // namespace glyph::ops::cuda
