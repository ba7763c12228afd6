// Attention of many query rows on compute capability 9.0: the same method as attention_flash.cuh with the
// products of whole warpgroups, which read their operands from shared memory and run beside other work. Head
// size 128. Method: Shah et al., "FlashAttention-3" (2024), without its copy engine: pages and blocks of KV
// may lie anywhere.
//
// A block has 128 query rows and three warpgroups. The first copies keys and values, 128 a step, into two
// stages each; the others take 64 rows each. While the scores of a step become weights, the weights of the
// step before meet its values. The two take turns at queueing products, so that one computes weights while the
// products of the other run.
#pragma once

#include "ops/cuda/attention_flash.cuh"
#include "ops/cuda/hopper_ptx.cuh"

namespace glyph::ops::cuda {

inline constexpr int kHopperHeadDim = 128;
inline constexpr int kHopperRows = 128;  // query rows of a block
inline constexpr int kHopperKeys = 128;  // keys of a step
inline constexpr int kHopperStages = 2;
inline constexpr int kWarpgroup = 128;  // threads
inline constexpr int kHopperThreads = 3 * kWarpgroup;
inline constexpr int kConsumerWarps = 8;

// 128 rows of a head as two matrices of 64 columns, each swizzled as attention_flash.cuh's swizzled<64>().
template <typename T>
struct HopperMatrix {
  T half[2][128 * 64];
};
inline constexpr uint32_t kHalfBytes = 128 * 64 * 2;

template <typename T>
struct HopperShared {
  HopperMatrix<T> q, keys[kHopperStages], values[kHopperStages];
  uint64_t keys_full[kHopperStages], values_full[kHopperStages];    // all copying threads arrive
  uint64_t keys_empty[kHopperStages], values_empty[kHopperStages];  // each consuming warp arrives
};

// Parity of the phase in which a stage is filled, or emptied, for step `step`.
__device__ inline int parity_of(int step) { return step / kHopperStages % 2; }

// Starts copying rows first ... first + 63 of a matrix from 64 rows of `rows`, zeros from num_rows on.
template <typename T>
__device__ inline void load_half_tile(HopperMatrix<T>& to, int first, const Rows<T>& rows, int num_rows,
                                      unsigned thread) {
  const unsigned piece = thread % 16;
  const T* from = rows.data + thread / 16 * rows.stride + piece * 8;
  T* const half = to.half[piece / 8];
#pragma unroll
  for (unsigned i = 0; i < 8; ++i) {
    const unsigned row = 8 * i + thread / 16;
    const bool valid = static_cast<int>(row) < num_rows;
    copy_async(half + swizzled<64>(static_cast<unsigned>(first) + row, piece % 8), valid ? from : rows.data,
               valid);
    from += 8 * rows.stride;
  }
}

// The query rows of a tile.
template <typename T, typename Problem>
__device__ inline void load_query_matrix(HopperMatrix<T>& to, const Problem& problem, const Tile& tile,
                                         unsigned thread) {
  const unsigned piece = thread % 16;
#pragma unroll 8
  for (unsigned row = thread / 16; row < kHopperRows; row += 8) {
    const bool valid = static_cast<int>(row) < tile.num_rows;
    const Place place = problem.place(tile, valid ? static_cast<int>(row) : 0);
    copy_async(to.half[piece / 8] + swizzled<64>(row, piece % 8),
               problem.q.at(place.row, place.head) + piece * 8, valid);
  }
}

// The warpgroup that copies: keys of a step ahead of the values of the step before, as they are needed. Where
// rows lie is looked up before their place is empty.
template <typename T, typename Problem>
__device__ inline void copy_steps(const Problem& problem, const Tile& tile, HopperShared<T>& shared) {
  const unsigned thread = threadIdx.x;
  const auto load = [&](HopperMatrix<T>& to, const Rows<T>& first, const Rows<T>& second, int num_rows) {
    load_half_tile(to, 0, first, num_rows, thread);
    load_half_tile(to, 64, second, num_rows - 64, thread);
  };
  // The second half of the last step may not exist: its rows are zeros, wherever they would lie.
  const auto second_half = [&](int key) { return key + 64 < tile.end ? key + 64 : key; };
  load(shared.keys[0], problem.keys(tile, tile.begin), problem.keys(tile, second_half(tile.begin)),
       tile.end - tile.begin);
  load_query_matrix(shared.q, problem, tile, thread);
  arrive_when_copied(&shared.keys_full[0]);
  int step = 0;
  for (int key = tile.begin; key < tile.end; key += kHopperKeys, ++step) {
    const int next = key + kHopperKeys;
    const Rows<T> first_values = problem.values(tile, key),
                  second_values = problem.values(tile, second_half(key));
    if (next < tile.end) {
      const int stage = (step + 1) % kHopperStages;
      const Rows<T> first_keys = problem.keys(tile, next), second_keys = problem.keys(tile, second_half(next));
      wait_barrier(&shared.keys_empty[stage], parity_of(step + 1) ^ 1);
      load(shared.keys[stage], first_keys, second_keys, tile.end - next);
      arrive_when_copied(&shared.keys_full[stage]);
    }
    const int stage = step % kHopperStages;
    wait_barrier(&shared.values_empty[stage], parity_of(step) ^ 1);
    load(shared.values[stage], first_values, second_values, tile.end - key);
    arrive_when_copied(&shared.values_full[stage]);
  }
  commit_copies();
  wait_copies<0>();
}

// Queues scores (64, 128) = rows of this warpgroup times keys.
template <typename T>
__device__ inline void queue_scores(float (&scores)[16][4], uint32_t q, uint32_t keys) {
#pragma unroll
  for (int step = 0; step < kHopperHeadDim / 16; ++step) {
    const uint32_t offset = step / 4 * kHalfBytes + step % 4 * 32;
    multiply_shared<T>(scores, describe_matrix(q + offset, 16), describe_matrix(keys + offset, 16), step > 0);
  }
  commit_products();
}

// Queues result (64, 128) += weights times values.
template <typename T>
__device__ inline void queue_mix(float (&result)[16][4], const uint32_t (&weights)[8][4], uint32_t values) {
#pragma unroll
  for (int step = 0; step < kHopperKeys / 16; ++step) {
    multiply_registers<T>(result, weights[step], describe_matrix(values + step * 16 * 128, kHalfBytes));
  }
  commit_products();
}

// A warpgroup that computes, for rows first_row ... first_row + 63 of the tile.
template <typename T, typename Problem>
__device__ inline void attend_steps(const Problem& problem, const Tile& tile, HopperShared<T>& shared,
                                    int first_row) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp_row = first_row + static_cast<int>(threadIdx.x) % kWarpgroup / 32 * 16;  // of the tile
  const uint32_t q = shared_address(shared.q.half[0] + first_row * 64);
  const int first_limit = tile.limit(0);  // keys before it are seen by all rows
  float scores[16][4], result[16][4] = {};
  uint32_t weights[8][4];
  SoftmaxRows softmax;
  const auto to_weights = [&](int key, float(&shrink)[2]) {
    if (key + kHopperKeys > first_limit) {
      hide_keys(scores, {tile.limit(warp_row + lane / 4) - key, tile.limit(warp_row + lane / 4 + 8) - key});
    }
    flash_softmax(scores, problem.scale_log2, softmax, shrink);
  };
  const auto pack = [&] {
#pragma unroll
    for (int i = 0; i < 8; ++i) pack_weights<T>(weights[i], scores[2 * i], scores[2 * i + 1]);
  };
  const auto release = [&](uint64_t* barrier) {
    if (lane == 0) arrive(barrier);
  };
  const auto wait_copied = [&](uint64_t* barrier, int parity) {
    wait_barrier(barrier, parity);
    fence_for_wgmma();
  };
  const int turn = first_row / 64;

  float shrink[2];
  wait_copied(&shared.keys_full[0], 0);
  begin_products();
  queue_scores<T>(scores, q, shared_address(&shared.keys[0]));
  wait_products<0>();
  release(&shared.keys_empty[0]);
  to_weights(tile.begin, shrink);
  pack();
  int step = 1;
  for (int key = tile.begin + kHopperKeys; key < tile.end; key += kHopperKeys, ++step) {
    const int stage = step % kHopperStages, before = (step - 1) % kHopperStages;
    wait_copied(&shared.keys_full[stage], parity_of(step));
    wait_turn<2 * kWarpgroup>(turn);
    begin_products();
    queue_scores<T>(scores, q, shared_address(&shared.keys[stage]));
    wait_copied(&shared.values_full[before], parity_of(step - 1));
    queue_mix<T>(result, weights, shared_address(&shared.values[before]));
    give_turn<2 * kWarpgroup>(turn ^ 1);
    wait_products<1>();
    release(&shared.keys_empty[stage]);
    to_weights(key, shrink);
    wait_products<0>();
    release(&shared.values_empty[before]);
    shrink_rows(result, shrink);
    pack();
  }
  const int last = (step - 1) % kHopperStages;
  wait_copied(&shared.values_full[last], parity_of(step - 1));
  begin_products();
  queue_mix<T>(result, weights, shared_address(&shared.values[last]));
  wait_products<0>();
  put_results(problem, tile, warp_row, softmax, result);
}

template <typename Problem>
__global__ void __launch_bounds__(kHopperThreads, 1)
    hopper_attention(const __grid_constant__ Problem problem) {
#ifdef GLYPH_HOPPER_CODE
  const Tile tile = problem.template tile<kHopperRows>();
  if (tile.num_rows <= 0) return;
  extern __shared__ __align__(1024) unsigned char hopper_memory[];
  using Shared = HopperShared<typename Problem::Query>;
  Shared& shared = *reinterpret_cast<Shared*>(hopper_memory);
  if (threadIdx.x == 0) {
#pragma unroll
    for (int stage = 0; stage < kHopperStages; ++stage) {
      init_barrier(&shared.keys_full[stage], kWarpgroup);
      init_barrier(&shared.values_full[stage], kWarpgroup);
      init_barrier(&shared.keys_empty[stage], kConsumerWarps);
      init_barrier(&shared.values_empty[stage], kConsumerWarps);
    }
    fence_barriers();
  }
  __syncthreads();
  if (threadIdx.x < kWarpgroup) {
    give_registers<56>();
    copy_steps(problem, tile, shared);
  } else {
    take_registers<224>();
    const int group = __shfl_sync(0xFFFFFFFFu, static_cast<int>(threadIdx.x) / kWarpgroup - 1, 0);
    if (group == 1) give_turn<2 * kWarpgroup>(0);
    attend_steps(problem, tile, shared, group * 64);
    if (group == 0) wait_turn<2 * kWarpgroup>(0);  // the last one given
  }
#endif
}

}  // namespace glyph::ops::cuda
