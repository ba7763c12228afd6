// Decode attention on the tensor cores: one query row a sequence, KV of bf16, f16 or e4m3 (T). The up to 16 query heads that
// share a KV head are the rows of one product, so that every key and value is read once. The keys of a
// sequence are split over blocks, inside a block over 4 warps that walk independently, each with its own
// copies under way and its own softmax; their results are combined at the end. Method: Dao et al.,
// "Flash-Decoding" (2023).
#pragma once

#include "ops/cuda/attention_decode_stage.cuh"
#include "ops/cuda/launch.cuh"

namespace glyph::ops::cuda {

inline constexpr int kDecodeWarps = 4;
inline constexpr int kDecodeThreads = 32 * kDecodeWarps;
inline constexpr int kDecodeHeads = 16;  // query heads of a block

// The query heads of the tile as left operands, step by step; missing heads are zeros.
template <int kHeadDim, typename T, typename Problem>
__device__ inline void load_query(uint32_t (&a)[kHeadDim / 16][4], const Problem& problem, const Tile& tile) {
  using Stage = DecodeStage<kHeadDim, T>;
  using Q = typename Problem::Query;
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int step = 0; step < kHeadDim / 16; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i % 2 * 8, first = Stage::query_element(step, i / 2, 0), second = Stage::query_element(step, i / 2, 1);
      const Place place = problem.place(tile, row);
      const Q* const q = problem.q.at(place.row, place.head);
      if (row >= tile.num_rows) {
        a[step][i] = 0;
      } else if constexpr (std::is_same_v<Q, T>) {
        a[step][i] = *reinterpret_cast<const uint32_t*>(q + first);  // neighbours
      } else {
        a[step][i] = pack_pair<typename Stage::Multiplied>(q[first], q[second]);
      }
    }
  }
}

// One warp's walk over its keys.
template <int kHeadDim, typename T>
struct DecodeWarp {
  float result[kHeadDim / 8][4] = {};
  SoftmaxRows softmax;

  __device__ void step(const uint32_t (&q)[kHeadDim / 16][4], const DecodeStage<kHeadDim, T>& stage, float scale_log2, int visible) {
    float scores[2][4] = {};
    stage.score(q, scores);
    if (visible < kDecodeKeys) hide_keys(scores, {visible, visible});
    float shrink[2];
    flash_softmax(scores, scale_log2, softmax, shrink);
    if (__any_sync(0xFFFFFFFFu, shrink[0] != 1.0f || shrink[1] != 1.0f)) shrink_rows(result, shrink);
    stage.mix(scores, visible, result);
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

template <int kHeadDim, typename T, typename Problem>
__device__ inline void combine_warps(const DecodeShared<kHeadDim>& shared, const Problem& problem,
                                     const Tile& tile) {
  for (int i = 2 * static_cast<int>(threadIdx.x); i < tile.num_rows * kHeadDim; i += 2 * kDecodeThreads) {
    const int row = i / kHeadDim, column = i % kHeadDim;
    float top = -INFINITY;
#pragma unroll
    for (int w = 0; w < kDecodeWarps; ++w) top = fmaxf(top, shared.largest[w][row]);
    const int first_column = DecodeStage<kHeadDim, T>::column_of(column), second_column = DecodeStage<kHeadDim, T>::column_of(column + 1);
    float sum = 0, first = 0, second = 0;
#pragma unroll
    for (int w = 0; w < kDecodeWarps; ++w) {
      const float weight = fast_exp2(shared.largest[w][row] - top);  // 0 for a warp without keys
      sum += weight * shared.sum[w][row];
      first += weight * shared.result[w][row][first_column];
      second += weight * shared.result[w][row][second_column];
    }
    put_pair(problem, tile, row, column, first / sum, second / sum);
    if (column == 0) put_total(problem, tile, row, top, sum);
  }
}

// The copies of one warp: stages that are filled ahead of their use.
template <int kHeadDim, typename T>
struct DecodeCopies {
  using Stage = DecodeStage<kHeadDim, T>;
  const KvGeometry& kv;
  const Tile& tile;
  const void* const* blocks;
  int kv_head;
  unsigned char* memory;

  __device__ static int key_of(const Tile& tile, int step) {
    const int warp = static_cast<int>(threadIdx.x) / 32;
    return tile.begin + (step * kDecodeWarps + warp) * kDecodeKeys;
  }
  __device__ Stage stage(int step) const { return {memory + step % Stage::kStages * Stage::kBytes}; }

  // Starts the copies of a step, if there is one; always ends a group.
  __device__ void start(int step) const {
    const int key = key_of(tile, step), num_keys = tile.end - key;
    if (num_keys > 0) {
      const Rows<T> keys = cached_rows<T>(kv, blocks, kv.key_offset, kv_head, key),
                    values = cached_rows<T>(kv, blocks, kv.value_offset, kv_head, key);
      stage(step).copy(keys, values, num_keys);
    }
    commit_copies();
  }
};

// Stages of all warps, and later what they leave.
template <int kHeadDim, typename T>
constexpr size_t decode_shared_bytes() {
  using Stage = DecodeStage<kHeadDim, T>;
  constexpr size_t kStages = kDecodeWarps * Stage::kStages * Stage::kBytes;
  static_assert(kStages >= sizeof(DecodeShared<kHeadDim>));
  return kStages;
}

template <int kHeadDim, typename Q, typename T>
__global__ void __launch_bounds__(kDecodeThreads, 2)
    decode_on_tensor_cores(const __grid_constant__ DecodeProblem<Q, T> problem) {
  let_next_kernel_start();
  const Tile tile = problem.template tile<kDecodeHeads>();
  if (tile.num_rows <= 0) return wait_for_kernel_before();
  extern __shared__ __align__(256) unsigned char shared_memory[];
  using Stage = DecodeStage<kHeadDim, T>;
  using Copies = DecodeCopies<kHeadDim, T>;
  const int index = static_cast<int>(threadIdx.x) / 32;
  const Copies copies{
      problem.kv, tile, problem.sequences[blockIdx.z].blocks, tile.first_row / problem.group,
      shared_memory + index * Stage::kStages * Stage::kBytes};
  // The step stores keys and values at no more positions of a sequence than it has rows, the last ones; what lies before
  // them is there already.
  const int num_before = problem.keys_of_row(static_cast<int>(blockIdx.z)) - static_cast<int>(gridDim.z);
  if (tile.end > num_before) wait_for_kernel_before();
#pragma unroll
  for (int step = 0; step < Stage::kStages - 1; ++step) copies.start(step);
  wait_for_kernel_before();
  uint32_t q[kHeadDim / 16][4];
  load_query<kHeadDim, T>(q, problem, tile);

  DecodeWarp<kHeadDim, T> warp;
  for (int step = 0; Copies::key_of(tile, step) < tile.end; ++step) {
    wait_copies<Stage::kStages - 2>();
    __syncwarp();  // this step's copies are there, the step before was read
    copies.start(step + Stage::kStages - 1);
    warp.step(q, copies.stage(step), problem.scale_log2, tile.end - Copies::key_of(tile, step));
  }
  wait_copies<0>();
  __syncthreads();  // nobody needs keys and values any more
  auto& shared = *reinterpret_cast<DecodeShared<kHeadDim>*>(shared_memory);
  leave_results(shared, warp, problem.scale_log2);
  __syncthreads();
  combine_warps<kHeadDim, T>(shared, problem, tile);
}

}  // namespace glyph::ops::cuda
