// Products of a few rows (up to 32) with bf16 or f16 weights, bound by reading the weights once. They meet the rows on the
// tensor cores, whose 8 columns make up to 8 rows as cheap as one. f32 rows keep their 24 bits: as sums of three bf16
// numbers, which meet the weights one after the other.
//
// A block owns 32 rows of the weights, or 16 gates and their ups; its warps share the inputs. A lane reads 16 bytes of a
// weight row at a time: any order of the inputs will do, so lane t of four takes the t-th 16 bytes of 64, of weights and
// of inputs alike. The first weights are asked for while the kernel before still makes the inputs.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <limits>

#include "ops/cuda/attention_ptx.cuh"
#include "ops/cuda/elements.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/product_work.cuh"
#include "ops/cuda/products.h"

namespace glyph::ops::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kThreads = 32 * kWarps;
constexpr int kBlocksAtOnce = 2;  // of a multiprocessor
constexpr int kOutputs = 32;      // weight rows of a block
constexpr int kLaneRows = 4;      // weight rows of a lane: lane / 4 and every eighth after it
constexpr int kColumns = 8;       // rows of x in one product of the tensor cores
constexpr int kCount = 8;         // inputs of a lane in a chunk: 16 bytes of weights
constexpr int kChunk = 4 * kCount;

// 16 bytes of each of a lane's weight rows are under way so many times; sums of many rows take the registers.
template <int kTiles>
constexpr int kAheadOf = kTiles == 4 ? 2 : 4;

using Work = ProductWork<int>;

// The warp's j-th chunk. The warps take turns: two chunks each, which are a line of memory.
__device__ inline int chunk_of(int j) { return static_cast<int>(threadIdx.x) / 32 * 2 + j / 2 * 2 * kWarps + j % 2; }

// The lane's first input of the warp's j-th chunk. It may lie behind the last one: weights and inputs are zeros then.
__device__ inline int input_of(int j) { return chunk_of(j) * kChunk + static_cast<int>(threadIdx.x) % 4 * kCount; }

// What is read once leaves the first cache to the inputs, which all blocks of a multiprocessor read.
__device__ inline uint4 load_once(const uint4* from) {
  uint4 bits;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(bits.x), "=r"(bits.y), "=r"(bits.z), "=r"(bits.w)
               : "l"(from));
  return bits;
}

// A lane's pieces of its weight rows, kAhead of each under way at any time.
template <typename W, bool kSwiglu, int kAhead>
struct WeightStream {
  const W* rows[kLaneRows];
  uint4 bits[kAhead][kLaneRows];

  __device__ explicit WeightStream(const Work& work) {
    constexpr int kParts = kSwiglu ? 2 : 1, kPartRows = kLaneRows / kParts;
    const int first = static_cast<int>(blockIdx.x) * (kOutputs / kParts) + static_cast<int>(threadIdx.x) % 32 / 4;
#pragma unroll
    for (int i = 0; i < kLaneRows; ++i) {
      const int64_t row = min(first + i % kPartRows * 8, work.outputs - 1);
      rows[i] = kept(static_cast<const W*>(i < kPartRows ? work.weight : work.up) + row * work.weight_stride);
    }
#pragma unroll
    for (int j = 0; j < kAhead; ++j) start(j, 0, work.depth);
  }
  // What follows the pieces that are under way, and is as much. The warp's two chunks are a line.
  __device__ void fetch_next(int depth) const {
    if (threadIdx.x % 4 != 0) return;
#pragma unroll
    for (int j = kAhead; j < 2 * kAhead; j += 2) {
      const int k = input_of(j);
#pragma unroll
      for (int i = 0; i < kLaneRows; ++i) {
        if (k < depth) fetch_line(rows[i] + k);
      }
    }
  }
  // Of the warp's chunk first + j, where a round of chunks begins with `first`.
  __device__ void start(int j, int first, int depth) {
    const int k = input_of(first + j);
#pragma unroll
    for (int i = 0; i < kLaneRows; ++i) {
      bits[j][i] = k < depth ? load_once(reinterpret_cast<const uint4*>(rows[i] + k)) : uint4{};
    }
  }
};

// A lane's inputs of a chunk, as they lie in memory: of row lane / 4 of each tile, zeros where there are not as many.
template <typename X, int kTiles>
struct Inputs {
  static constexpr int kLoads = static_cast<int>(kCount * sizeof(X) / 16);
  uint4 bits[kTiles][kLoads];
};

// The inputs of chunks to come, on their way into shared memory: registers are taken by weights. A lane copies what it reads
// itself, so that it need not wait for others. All blocks want the same few lines at the same time, more than the second
// cache gives from one place; so copies go through the first, and a row that is not there is not asked for.
template <typename X, int kTiles>
struct InputQueue {
  using Lane = Inputs<X, kTiles>;
  static constexpr int kPieces = kTiles * Lane::kLoads;
  static constexpr int kStages = kPieces <= 2 ? 4 : 2;  // chunks there is room for
  using Buffer = uint4[kWarps][kStages][kPieces][32];
  const X* rows[kTiles];
  int num_there;  // tiles in which this lane's row is one of x
  uint4* slots;   // this lane's

  __device__ InputQueue(const Work& work, Buffer& buffer)
      : num_there((work.rows - static_cast<int>(threadIdx.x) % 32 / 4 + kColumns - 1) / kColumns),
        slots(&buffer[threadIdx.x / 32][0][0][threadIdx.x % 32]) {
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      const int64_t row = min(tile * kColumns + static_cast<int>(threadIdx.x) % 32 / 4, work.rows - 1);
      rows[tile] = kept(static_cast<const X*>(work.x) + row * work.x_stride);
    }
#pragma unroll
    for (int j = 0; j < kStages - 1; ++j) start(j, 0, work.depth);
  }
  // Of the warp's chunk first + j, where a round of chunks begins with `first`; always ends a group of copies.
  __device__ void start(int j, int first, int depth) const {
    const int k = input_of(first + j);
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece) {
      const int tile = piece / Lane::kLoads;
      const auto* from = reinterpret_cast<const uint4*>(rows[tile] + k) + piece % Lane::kLoads;
      copy_async_shared(slots + (j % kStages * kPieces + piece) * 32, from, k < depth && tile < num_there);
    }
    commit_copies();
  }
  // The oldest, of chunk first + j; the place of the one before is filled again.
  __device__ Lane take(int j, int first, int depth) const {
    wait_copies<kStages - 2>();
    Lane inputs;
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece) {
      inputs.bits[piece / Lane::kLoads][piece % Lane::kLoads] = slots[(j % kStages * kPieces + piece) * 32];
    }
    start(j + kStages - 1, first, depth);
    return inputs;
  }
};

__device__ inline uint32_t word_of(const uint4& bits, int i) {
  return i == 0 ? bits.x : i == 1 ? bits.y : i == 2 ? bits.z : bits.w;
}

// Two f32 numbers as sums of three pairs of bf16, the largest first: 8 bits each.
__device__ inline void split_pair(float low, float high, uint32_t (&parts)[3]) {
#pragma unroll
  for (int p = 0; p < 3; ++p) {
    parts[p] = pack_pair<__nv_bfloat16>(low, high);
    low -= __uint_as_float(parts[p] << 16);
    high -= __uint_as_float(parts[p] & 0xFFFF0000u);
  }
}

// Sums as multiply_add() leaves them: two times 16 weight rows by rows of x. `rest` takes what the smaller parts of f32
// inputs give, which would lose bits beside the large sums.
template <typename X, int kTiles>
struct Sums {
  static constexpr bool kSplit = std::is_same_v<X, float>;
  float main[kTiles][2][4] = {};
  float rest[kSplit ? kTiles : 1][2][4] = {};

  template <typename W>
  __device__ void add(const uint4 (&weights)[kLaneRows], const Inputs<X, kTiles>& inputs) {
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int s = 0; s < 2; ++s) {
        uint32_t left[2][4];
#pragma unroll
        for (int m = 0; m < 2; ++m) {
#pragma unroll
          for (int i = 0; i < 4; ++i) left[m][i] = word_of(weights[2 * m + i % 2], 2 * s + i / 2);
        }
        if constexpr (kSplit) {
          uint32_t right[2][3];
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            const uint4& four = inputs.bits[tile][s];
            split_pair(__uint_as_float(word_of(four, 2 * i)), __uint_as_float(word_of(four, 2 * i + 1)), right[i]);
          }
#pragma unroll
          for (int m = 0; m < 2; ++m) {
            multiply_add<W>(main[tile][m], left[m], right[0][0], right[1][0]);
            multiply_add<W>(rest[tile][m], left[m], right[0][1], right[1][1]);
            multiply_add<W>(rest[tile][m], left[m], right[0][2], right[1][2]);
          }
        } else {
          const uint4& eight = inputs.bits[tile][0];
#pragma unroll
          for (int m = 0; m < 2; ++m) {
            multiply_add<W>(main[tile][m], left[m], word_of(eight, 2 * s), word_of(eight, 2 * s + 1));
          }
        }
      }
    }
  }
  __device__ float4 of(int tile, int m) const {
    const auto& a = main[tile][m];
    if constexpr (kSplit) {
      const auto& b = rest[tile][m];
      return make_float4(a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]);
    }
    return make_float4(a[0], a[1], a[2], a[3]);
  }
};

template <typename X, typename W, int kTiles, bool kSwiglu>
__device__ inline void add_products(const Work& work, WeightStream<W, kSwiglu, kAheadOf<kTiles>>& stream,
                                    const InputQueue<X, kTiles>& queue, Sums<X, kTiles>& sums) {
  constexpr int kAhead = kAheadOf<kTiles>;
  static_assert(kAhead % InputQueue<X, kTiles>::kStages == 0, "places of a round are known to the compiler");
  const int num_chunks = (work.depth + kChunk - 1) / kChunk;
  for (int first = 0; chunk_of(first) < num_chunks; first += kAhead) {
#pragma unroll
    for (int j = 0; j < kAhead; ++j) {
      if (chunk_of(first + j) >= num_chunks) break;
      const Inputs<X, kTiles> inputs = queue.take(j, first, work.depth);
      sums.template add<W>(stream.bits[j], inputs);
      stream.start(j, first + kAhead, work.depth);
    }
  }
}

template <typename T>
__device__ inline void put_result(void* out, int64_t at, float value, bool accumulate) {
  T* const to = static_cast<T*>(out) + at;
  put(to, accumulate ? to_f32(*to) + value : value);
}
__device__ inline void put_result(const Work& work, int row, int n, float value) {
  const int64_t at = row * work.out_stride + n;
  if (work.out_type == DType::kF32) return put_result<float>(work.out, at, value, work.accumulate);
  if (work.out_type == DType::kBF16) return put_result<__nv_bfloat16>(work.out, at, value, work.accumulate);
  put_result<__half>(work.out, at, value, work.accumulate);
}

template <typename X, typename W, int kTiles, bool kSwiglu>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce) few_rows_kernel(const __grid_constant__ Work work) {
  constexpr int kWritten = kSwiglu ? kOutputs / 2 : kOutputs;
  static_assert(kThreads % (kColumns * kWritten) == 0, "all results of a thread are of one output");
  using Queue = InputQueue<X, kTiles>;
  __shared__ union {
    typename Queue::Buffer inputs;
    float4 partial[kWarps][kTiles][2][32];
  } shared;
  let_next_kernel_start();
  WeightStream<W, kSwiglu, kAheadOf<kTiles>> stream(work);
  const int m = static_cast<int>(threadIdx.x) / kColumns % kWritten, column = static_cast<int>(threadIdx.x) % kColumns;
  const int n = static_cast<int>(blockIdx.x) * kWritten + m;
  const float bias = work.bias != nullptr && n < work.outputs ? work.bias[n] : 0.0f;
  if (work.fetches) stream.fetch_next(work.depth);
  wait_for_kernel_before();

  Sums<X, kTiles> sums;
  add_products(work, stream, Queue(work, shared.inputs), sums);
  wait_copies<0>();
  __syncthreads();  // nobody needs inputs any more
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int half = 0; half < 2; ++half) shared.partial[warp][tile][half][lane] = sums.of(tile, half);
  }
  __syncthreads();
  if (n >= work.outputs) return;
  // The sum of weight row `of` of the block and of row `column` of a tile, over all warps.
  const auto total = [&](int tile, int of) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      const auto* of_lane = reinterpret_cast<const float*>(&shared.partial[w][tile][of / 16][of % 8 * 4 + column / 2]);
      sum += of_lane[of % 16 / 8 * 2 + column % 2];
    }
    return sum;
  };
  constexpr int kTilesAtOnce = kThreads / (kColumns * kWritten);
  for (int tile = static_cast<int>(threadIdx.x) / (kColumns * kWritten); tile < kTiles; tile += kTilesAtOnce) {
    const int row = tile * kColumns + column;
    if (row >= work.rows) break;
    float value = total(tile, m);
    if constexpr (kSwiglu) value = silu(value) * total(tile, m + kOutputs / 2);
    put_result(work, row, n, value + bias);
  }
}

template <typename X, typename W, bool kSwiglu>
void launch_type(CudaDevice& device, Work work, Start start) {
  constexpr int kWritten = kSwiglu ? kOutputs / 2 : kOutputs;
  const auto blocks = static_cast<unsigned>((work.outputs + kWritten - 1) / kWritten);
  auto* kernel = few_rows_kernel<X, W, 1, kSwiglu>;
  if constexpr (!std::is_same_v<X, float>) {
    if (work.rows > kColumns) kernel = few_rows_kernel<X, W, 2, kSwiglu>;
    if (work.rows > 2 * kColumns) kernel = few_rows_kernel<X, W, 4, kSwiglu>;
  }
  work.fetches = fetches_more(device, blocks, kBlocksAtOnce, start);
  launch(device, "matrix_few", kernel, {blocks, kThreads, 0, start}, work);
}

template <bool kSwiglu>
void launch_types(CudaDevice& device, DType x, DType weight, const Work& work, Start start = Start::kRecorded) {
  if (x == DType::kF32) return launch_type<float, __nv_bfloat16, kSwiglu>(device, work, start);
  if (weight == DType::kBF16) return launch_type<__nv_bfloat16, __nv_bfloat16, kSwiglu>(device, work, start);
  launch_type<__half, __half, kSwiglu>(device, work, start);
}

// Types there is a kernel for, and every lane's 16 bytes aligned to 16.
bool fits(const ConstTensorView& x, const ConstTensorView& weight) {
  const bool split = x.dtype() == DType::kF32 && weight.dtype() == DType::kBF16;
  const bool alike = x.dtype() == weight.dtype() && (x.dtype() == DType::kBF16 || x.dtype() == DType::kF16);
  if (!split && !alike) return false;
  const int64_t most = split ? kColumns : kMaxFewRows;
  constexpr int64_t kLimit = std::numeric_limits<int>::max() / 2;
  return x.size(0) <= most && x.size(1) % kCount == 0 && x.size(1) < kLimit && weight.size(0) < kLimit &&
         packs(x, static_cast<int64_t>(16 / size_of(x.dtype()))) && packs(weight, kCount);
}

}  // namespace

bool matrix_few(CudaDevice& device, const Product& p) {
  if (!fits(p.x, p.weight)) return false;
  launch_types<false>(device, p.x.dtype(), p.weight.dtype(), work_of<int>(p), start_of(p));
  return true;
}

bool swiglu_matrix_few(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& gate,
                       const ConstTensorView& up, const TensorView& out) {
  if (is_quantised(out.dtype()) || !fits(x, gate) || !fits(x, up) || gate.stride(0) != up.stride(0)) return false;
  launch_types<true>(device, x.dtype(), gate.dtype(), work_of<int>(x, gate, up, out));
  return true;
}

}  // namespace glyph::ops::cuda
