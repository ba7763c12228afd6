// Products of a few rows on the tensor cores, bound by reading the weights once. Quantised weights are widened to bf16 in registers (a
// scale of a group included; the scale of an e4m3 row is exact at the end) and meet rows of bf16; bf16 weights meet rows of f32, each of
// whose numbers is the sum of three of bf16. 8 columns of an operand make up to 8 rows as cheap as one.
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

constexpr int kOutputs = 16;  // weight rows of a block
constexpr int kColumns = 8;   // rows of x in one product of the tensor cores

// How 16 bytes of weights become pairs of bf16, and which two of their inputs meet a pair.
struct E4M3Weights {
  using Input = __nv_bfloat16;
  static constexpr int kCount = 16, kParts = 1;
  static constexpr bool kRowScales = true, kGroups = false;
  __device__ static void widen(uint32_t word, uint32_t, uint32_t (&pairs)[2]) { widen_e4m3(word, pairs); }
};
struct I8Weights {
  using Input = __nv_bfloat16;
  static constexpr int kCount = 16, kParts = 1;
  static constexpr bool kRowScales = false, kGroups = true;
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
  using Input = __nv_bfloat16;
  static constexpr int kCount = 32, kParts = 1;
  static constexpr bool kRowScales = false, kGroups = true;
  // Elements i and i + 4: as bf16 numbers 128 + 8 + q, which are exact.
  __device__ static uint32_t pair(uint32_t word, int i, uint32_t scale) {
    const uint32_t bits = (word >> 4 * i & 0x000F000Fu) | 0x43004300u;
    const __nv_bfloat162 integers =
        __hsub2(*reinterpret_cast<const __nv_bfloat162*>(&bits), __float2bfloat162_rn(136.0f));
    return multiply_pair(*reinterpret_cast<const uint32_t*>(&integers), scale);
  }
};

// As they are.
struct BF16Weights {
  using Input = float;
  static constexpr int kCount = 8, kParts = 3;
  static constexpr bool kRowScales = false, kGroups = false;
};

// How a block is made for up to 8 kTiles rows of x. Many warps with little under way each are faster where registers allow them.
template <typename W, int kTiles>
struct Shape {
  static constexpr bool kMany = kTiles == 1 && !W::kGroups;
  static constexpr int kWarps = kMany ? 16 : 8, kThreads = 32 * kWarps;
  static constexpr int kAhead = kMany ? 2 : 4;  // even: 16 bytes of each of a lane's two weight rows under way, so many times
  static constexpr int kBlocksAtOnce = 2;       // of a multiprocessor: what the registers allow without spilling
};

// 16 bytes of weights as left operands of kCount / 4 products: two pairs for each.
template <typename W>
__device__ inline void widen_all(const uint4& bits, uint32_t scale, uint32_t (&pairs)[W::kCount / 4][2]) {
  const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if constexpr (W::kCount == 8) {
      pairs[i / 2][i % 2] = words[i];
    } else if constexpr (W::kCount == 16) {
      W::widen(words[i], scale, pairs[i]);
    } else {
#pragma unroll
      for (int j = 0; j < 4; ++j) pairs[2 * i + j / 2][j % 2] = W::pair(words[i], j, scale);
    }
  }
}

// The inputs of the same elements, pair by pair.
template <typename W>
__device__ inline void load_inputs(const __nv_bfloat16* x, uint32_t (&parts)[1][W::kCount / 4][2]) {
  auto& pairs = parts[0];
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

// The same of f32 inputs, as sums of three bf16 numbers.
template <typename W>
__device__ inline void load_inputs(const float* x, uint32_t (&parts)[3][W::kCount / 4][2]) {
  float rest[8];
  load(x, rest);
#pragma unroll
  for (auto& part : parts) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const uint32_t pair = pack_pair<__nv_bfloat16>(rest[2 * i], rest[2 * i + 1]);
      part[i / 2][i % 2] = pair;
      rest[2 * i] -= __uint_as_float(pair << 16);
      rest[2 * i + 1] -= __uint_as_float(pair & 0xFFFF0000u);
    }
  }
}

// A lane's pieces of its two weight rows and their scales, kAhead of each under way at any time. A piece is what the lane
// has of a chunk: kCount of the 4 kCount inputs that the four lanes of a row take together.
template <typename W, int kTiles, bool kSwiglu>
struct WeightStream {
  static constexpr int kChunk = 4 * W::kCount, kWarps = Shape<W, kTiles>::kWarps, kAhead = Shape<W, kTiles>::kAhead;
  const uint8_t* weights[2];
  const uint16_t* scales[2];  // of groups
  int depth;
  uint4 bits[kAhead][2];
  uint32_t group_scales[kAhead][2];

  __device__ explicit WeightStream(const ScaledWork& work) : depth(static_cast<int>(work.depth)) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    const int64_t first_row = static_cast<int64_t>(blockIdx.x) * (kSwiglu ? kOutputs / 2 : kOutputs) + lane / 4;
    const int64_t last = work.outputs - 1;
    const int64_t rows[2] = {min(first_row, last), min(kSwiglu ? first_row : first_row + kOutputs / 2, last)};
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const bool up = kSwiglu && i == 1;
      weights[i] = kept(static_cast<const uint8_t*>(up ? work.up : work.weight) + bytes_to(rows[i] * work.weight_stride));
      if (!W::kGroups) continue;
      scales[i] = kept(static_cast<const uint16_t*>(up ? work.up_scales : work.scales) + rows[i] * (depth / kQuantGroup));
    }
#pragma unroll
    for (int a = 0; a < kAhead; ++a) start(a, first() + chunk_after(a));
  }
  template <typename Int>
  __device__ static Int bytes_to(Int k) {
    return k * 16 / W::kCount;
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
        if (k < depth) fetch_line(weights[i] + bytes_to(k));
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
      bits[a][i] = there ? __ldcs(reinterpret_cast<const uint4*>(weights[i] + bytes_to(k))) : uint4{};
      group_scales[a][i] = W::kGroups && there ? scales[i][k / kQuantGroup] * 0x10001u : 0;  // twice
    }
  }
};

// sums[i] as multiply_add() leaves them: weight rows by rows of x.
template <typename W, int kTiles, typename Stream>
__device__ inline void add_products(const ScaledWork& work, Stream& stream, float (&sums)[kTiles][4]) {
  using Input = typename W::Input;
  const int lane = static_cast<int>(threadIdx.x) % 32, num_chunks = stream.num_chunks();
  // Of each tile, or of the last row where there are not as many: what a tile's columns have too many of is never looked at.
  const Input* rows[kTiles];
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    rows[tile] = kept(static_cast<const Input*>(work.x) + min(static_cast<int64_t>(tile * kColumns + lane / 4), work.rows - 1) * work.x_stride);
  }
  for (int begin = stream.first(); begin < num_chunks; begin += stream.kWarps * stream.kAhead) {
#pragma unroll
    for (int a = 0; a < stream.kAhead; ++a) {
      const int chunk = begin + stream.chunk_after(a);
      if (chunk >= num_chunks) break;
      const int k = stream.input_of(chunk), there = k < stream.depth ? k : 0;  // zeros take any inputs
      uint32_t left[2][W::kCount / 4][2];
#pragma unroll
      for (int i = 0; i < 2; ++i) widen_all<W>(stream.bits[a][i], stream.group_scales[a][i], left[i]);
      stream.start(a, chunk + stream.kWarps * stream.kAhead);
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        uint32_t right[W::kParts][W::kCount / 4][2];
        load_inputs<W>(rows[tile] + there, right);
#pragma unroll
        for (int s = 0; s < W::kCount / 4; ++s) {
          const uint32_t operand[4] = {left[0][s][0], left[1][s][0], left[0][s][1], left[1][s][1]};
#pragma unroll
          for (const auto& part : right) multiply_add<__nv_bfloat16>(sums[tile], operand, part[s][0], part[s][1]);
        }
      }
    }
  }
}

// What the results are made with at the end: scales of e4m3 rows, biases.
template <typename W, bool kSwiglu>
__device__ inline void fetch_epilogue(const ScaledWork& work) {
  constexpr int kWritten = kSwiglu ? kOutputs / 2 : kOutputs;
  if (threadIdx.x != 0) return;
  const int64_t n = static_cast<int64_t>(blockIdx.x) * kWritten;
  if (work.bias != nullptr) fetch_line(work.bias + n);
  if (!W::kRowScales) return;
  fetch_line(static_cast<const float*>(work.scales) + n);
  if (kSwiglu) fetch_line(static_cast<const float*>(work.up_scales) + n);
}

template <typename W, int kTiles, bool kSwiglu, typename End>
__global__ void __launch_bounds__(Shape<W, kTiles>::kThreads, Shape<W, kTiles>::kBlocksAtOnce)
    few_kernel(const __grid_constant__ ScaledWork work, const __grid_constant__ End end) {
  constexpr int kWritten = kSwiglu ? kOutputs / 2 : kOutputs, kRows = kTiles * kColumns;
  constexpr int kWarps = Shape<W, kTiles>::kWarps, kThreads = Shape<W, kTiles>::kThreads;
  __shared__ float4 partial[kWarps][kTiles][32];
  let_next_kernel_start();
  WeightStream<W, kTiles, kSwiglu> stream(work);
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
    return W::kRowScales ? __fmul_rn(sum, static_cast<const float*>(scales)[n]) : sum;  // rounded before the bias, whatever the end
  };
  for (int at = static_cast<int>(threadIdx.x); at < kRows * kWritten; at += kThreads) {
    const int m = at % kWritten, column = at / kWritten % kColumns, tile = at / kWritten / kColumns;
    const int64_t n = static_cast<int64_t>(blockIdx.x) * kWritten + m, row = tile * kColumns + column;
    // Pairs meet in whole warps, whose rows may be more than there are; heads fill their blocks.
    if (!kEndsInHeads<End> && (n >= work.outputs || row >= work.rows)) continue;
    float value = total(tile, m, column, work.scales, n);
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

template <typename W, int kTiles, bool kSwiglu, typename End>
void launch_tiles(CudaDevice& device, ScaledWork work, const End& end, Start start) {
  using Block = Shape<W, kTiles>;
  constexpr int kWritten = kSwiglu ? kOutputs / 2 : kOutputs;
  const auto blocks = static_cast<unsigned>((work.outputs + kWritten - 1) / kWritten);
  work.fetches = fetches_more(device, blocks, Block::kBlocksAtOnce, start);
  launch(device, "matrix_few", few_kernel<W, kTiles, kSwiglu, End>, {blocks, Block::kThreads, 0, start}, work, end);
}

template <typename W, bool kSwiglu, typename End>
void launch_type(CudaDevice& device, const ScaledWork& work, const End& end, Start start) {
  if (work.rows <= kColumns) return launch_tiles<W, 1, kSwiglu>(device, work, end, start);
  if constexpr (!std::is_same_v<W, BF16Weights>) {
    if (work.rows <= 2 * kColumns) return launch_tiles<W, 2, kSwiglu>(device, work, end, start);
    launch_tiles<W, 4, kSwiglu>(device, work, end, start);
  }
}

template <bool kSwiglu, typename End = RowsEnd>
void launch_types(CudaDevice& device, DType weights, const ScaledWork& work, Start start, const End& end = {}) {
  if (weights == DType::kBF16) return launch_type<BF16Weights, kSwiglu>(device, work, end, start);
  if (weights == DType::kE4M3) return launch_type<E4M3Weights, kSwiglu>(device, work, end, start);
  if (weights == DType::kI8) return launch_type<I8Weights, kSwiglu>(device, work, end, start);
  launch_type<I4Weights, kSwiglu>(device, work, end, start);
}

}  // namespace

// Every lane's 16 bytes of weights, and its inputs, are aligned.
bool fits_few(const ConstTensorView& x, const ConstTensorView& weight) {
  if (x.size(1) >= std::numeric_limits<int>::max() / 2 || !packs(x, 8)) return false;
  if (weight.dtype() == DType::kBF16) return x.dtype() == DType::kF32 && x.size(0) <= kColumns && packs(weight, 8);
  return is_quantised(weight.dtype()) && x.dtype() == DType::kBF16 && x.size(0) <= kMaxQuantisedVectorRows && has_pieces(x, weight);
}

bool matrix_few(CudaDevice& device, const Product& p) {
  if (!fits_few(p.x, p.weight)) return false;
  launch_types<false>(device, p.weight.dtype(), scaled_work_of(p), start_of(p));
  return true;
}

bool matrix_few(CudaDevice& device, const Product& p, const HeadsEnd& end) {
  if (end.table.kv.head_dim % kOutputs != 0 || !fits_few(p.x, p.weight)) return false;
  launch_types<false>(device, p.weight.dtype(), scaled_work_of(p), start_of(p), end);
  return true;
}

bool swiglu_matrix_few(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& gate, const ConstTensorView& up, const TensorView& out) {
  if (gate.dtype() != up.dtype() || !fits_few(x, gate) || !fits_few(x, up) || gate.stride(0) != up.stride(0)) return false;
  launch_types<true>(device, gate.dtype(), scaled_work_of(x, gate, up, out), Start::kRecorded);
  return true;
}

}  // namespace glyph::ops::cuda
