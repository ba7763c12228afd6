// Decode attention on the tensor cores: one query row a sequence, bf16 or f16 KV (T). The up to 16 query heads that
// share a KV head are the rows of one product, so that every key and value is read once. The keys of a
// sequence are split over blocks, inside a block over 4 warps that walk independently, each with its own
// copies under way and its own softmax; their results are combined at the end. Method: Dao et al.,
// "Flash-Decoding" (2023).
#pragma once

#include "ops/cuda/attention_flash.cuh"
#include "ops/cuda/launch.cuh"

namespace glyph::ops::cuda {

inline constexpr int kDecodeWarps = 4;
inline constexpr int kDecodeThreads = 32 * kDecodeWarps;
inline constexpr int kDecodeHeads = 16;  // query heads of a block
inline constexpr int kDecodeKeys = 16;   // keys of a step of one warp
inline constexpr int kDecodeStages = 3;  // steps whose keys and values a warp has room for

constexpr size_t decode_shared_bytes(int head_dim) {
  return 2 * static_cast<size_t>(kDecodeWarps * kDecodeStages * 2 * kDecodeKeys * head_dim);
}

// Two neighbouring elements as T.
template <typename T, typename Q>
__device__ inline uint32_t load_pair(const Q* x) {
  if constexpr (std::is_same_v<Q, T>) {
    return *reinterpret_cast<const uint32_t*>(x);
  } else {
    return pack_pair<T>(x[0], x[1]);
  }
}

// The query heads of the tile as left operands, step by step; missing heads are zeros.
template <typename T, int kHeadDim, typename Problem>
__device__ inline void load_query(uint32_t (&a)[kHeadDim / 16][4], const Problem& problem, const Tile& tile) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int step = 0; step < kHeadDim / 16; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i % 2 * 8, column = 16 * step + i / 2 * 8 + lane % 4 * 2;
      const Place place = problem.place(tile, row);
      a[step][i] = row < tile.num_rows ? load_pair<T>(problem.q.at(place.row, place.head) + column) : 0;
    }
  }
}

// One warp's walk over its keys.
template <int kHeadDim, typename T>
struct DecodeWarp {
  float result[kHeadDim / 8][4] = {};
  SoftmaxRows softmax;

  __device__ void step(const uint32_t (&q)[kHeadDim / 16][4], const Operand<kHeadDim>& keys,
                       const Operand<kHeadDim>& values, float scale_log2, int visible) {
    float scores[2][4] = {};
#pragma unroll
    for (int i = 0; i < kHeadDim / 16; ++i) {
      uint32_t b[4];
      load_matrices(b, keys.at(0, i));
      multiply_add<T>(scores[0], q[i], b[0], b[1]);
      multiply_add<T>(scores[1], q[i], b[2], b[3]);
    }
    if (visible < kDecodeKeys) hide_keys(scores, {visible, visible});
    float shrink[2];
    flash_softmax(scores, scale_log2, softmax, shrink);
    if (__any_sync(0xFFFFFFFFu, shrink[0] != 1.0f || shrink[1] != 1.0f)) shrink_rows(result, shrink);
    mix(scores, values);
  }

 private:
  __device__ void mix(const float (&weights)[2][4], const Operand<kHeadDim>& values) {
    uint32_t a[4];
    pack_weights<T>(a, weights[0], weights[1]);
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n += 2) {
      uint32_t b[4];
      load_transposed(b, values.at(0, n / 2));
      multiply_add<T>(result[n], a, b[0], b[1]);
      multiply_add<T>(result[n + 1], a, b[2], b[3]);
    }
  }
};

// What the warps of a block leave for each other, in the memory that held keys and values.
template <int kHeadDim>
struct DecodeShared {
  float result[kDecodeWarps][kDecodeHeads][kHeadDim];
  float largest[kDecodeWarps][kDecodeHeads];
  float sum[kDecodeWarps][kDecodeHeads];
};

template <int kHeadDim, typename T>
__device__ inline void leave_results(DecodeShared<kHeadDim>& shared, const DecodeWarp<kHeadDim, T>& warp,
                                     float scale_log2) {
  const int index = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int row = lane / 4 + 8 * h;
    const float sum = quad_sum(warp.softmax.sum[h]);
    if (lane % 4 == 0) {
      shared.largest[index][row] = warp.softmax.largest[h] * scale_log2;
      shared.sum[index][row] = sum;
    }
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; ++n) {
      *reinterpret_cast<float2*>(&shared.result[index][row][8 * n + lane % 4 * 2]) =
          make_float2(warp.result[n][2 * h], warp.result[n][2 * h + 1]);
    }
  }
}

template <int kHeadDim, typename Problem>
__device__ inline void combine_warps(const DecodeShared<kHeadDim>& shared, const Problem& problem,
                                     const Tile& tile) {
  for (int i = 2 * static_cast<int>(threadIdx.x); i < tile.num_rows * kHeadDim; i += 2 * kDecodeThreads) {
    const int row = i / kHeadDim, column = i % kHeadDim;
    float top = -INFINITY;
#pragma unroll
    for (int w = 0; w < kDecodeWarps; ++w) top = fmaxf(top, shared.largest[w][row]);
    float sum = 0, first = 0, second = 0;
#pragma unroll
    for (int w = 0; w < kDecodeWarps; ++w) {
      const float weight = fast_exp2(shared.largest[w][row] - top);  // 0 for a warp without keys
      sum += weight * shared.sum[w][row];
      first += weight * shared.result[w][row][column];
      second += weight * shared.result[w][row][column + 1];
    }
    put_pair(problem, tile, row, column, first / sum, second / sum);
    if (column == 0) put_total(problem, tile, row, top, sum);
  }
}

// The copies of one warp: kDecodeStages buffers of keys and values that are filled ahead of their use.
template <int kHeadDim, typename T>
struct DecodeCopies {
  static constexpr int kElements = kDecodeKeys * kHeadDim;  // keys, or values, of a step
  const KvGeometry& kv;
  const Tile& tile;
  const void* const* blocks;
  int kv_head;
  T* buffers;

  __device__ static int key_of(const Tile& tile, int step) {
    const int warp = static_cast<int>(threadIdx.x) / 32;
    return tile.begin + (step * kDecodeWarps + warp) * kDecodeKeys;
  }
  __device__ T* keys(int step) const { return buffers + step % kDecodeStages * 2 * kElements; }
  __device__ T* values(int step) const { return keys(step) + kElements; }

  // Starts the copies of a step, if there is one; always ends a group.
  __device__ void start(int step) const {
    const int key = key_of(tile, step), num_keys = tile.end - key;
    if (num_keys > 0) {
      const auto* block = static_cast<const char*>(blocks[key / kv.block_tokens]);
      const int64_t row = int64_t{kv_head} * kv.block_tokens + key % kv.block_tokens;
      const auto copy = [&](size_t offset, T* to) {
        const auto* from = reinterpret_cast<const T*>(block + offset) + row * kHeadDim;
        load_tile<kDecodeKeys, kHeadDim, 32>(to, {from, kHeadDim}, num_keys, threadIdx.x % 32);
      };
      copy(kv.key_offset, keys(step));
      copy(kv.value_offset, values(step));
    }
    commit_copies();
  }
};

template <int kHeadDim, typename Q, typename T>
__global__ void __launch_bounds__(kDecodeThreads, 2)
    decode_on_tensor_cores(const __grid_constant__ DecodeProblem<Q, T> problem) {
  let_next_kernel_start();
  const Tile tile = problem.template tile<kDecodeHeads>();
  if (tile.num_rows <= 0) return wait_for_kernel_before();
  extern __shared__ __align__(256) unsigned char shared_memory[];
  using Copies = DecodeCopies<kHeadDim, T>;
  const int index = static_cast<int>(threadIdx.x) / 32;
  const Copies copies{
      problem.kv, tile, problem.sequences[blockIdx.z].blocks, tile.first_row / problem.group,
      reinterpret_cast<T*>(shared_memory) + index * kDecodeStages * 2 * Copies::kElements};
  // The step stores keys and values at no more positions of a sequence than it has rows, the last ones; what lies before
  // them is there already.
  const int num_before = problem.keys_of_row(static_cast<int>(blockIdx.z)) - static_cast<int>(gridDim.z);
  if (tile.end > num_before) wait_for_kernel_before();
#pragma unroll
  for (int step = 0; step < kDecodeStages - 1; ++step) copies.start(step);
  wait_for_kernel_before();
  uint32_t q[kHeadDim / 16][4];
  load_query<T, kHeadDim>(q, problem, tile);

  DecodeWarp<kHeadDim, T> warp;
  for (int step = 0; Copies::key_of(tile, step) < tile.end; ++step) {
    wait_copies<kDecodeStages - 2>();
    __syncwarp();  // this step's copies are there, the step before was read
    copies.start(step + kDecodeStages - 1);
    warp.step(q, Operand<kHeadDim>::columns(copies.keys(step)), Operand<kHeadDim>::rows(copies.values(step)),
              problem.scale_log2, tile.end - Copies::key_of(tile, step));
  }
  wait_copies<0>();
  __syncthreads();  // nobody needs keys and values any more
  auto& shared = *reinterpret_cast<DecodeShared<kHeadDim>*>(shared_memory);
  leave_results(shared, warp, problem.scale_log2);
  __syncthreads();
  combine_warps(shared, problem, tile);
}

}  // namespace glyph::ops::cuda
