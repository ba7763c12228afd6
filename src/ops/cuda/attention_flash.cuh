// Attention of many query rows on the tensor cores: bf16 or f16 operands (T), f32 scores, softmax and sums; head sizes
// 32, 64 and 128. Method: Dao, "FlashAttention-2" (2023): the scores of a tile stay in registers, and what
// was summed before shrinks whenever a larger score turns up.
//
// A block of 4 warps holds 128 query rows, 32 a warp, and walks over the keys in steps of 64. Keys of the
// next step travel while this step's softmax and values are computed, values while its scores are.
#pragma once

#include <cuda_runtime.h>

#include "ops/cuda/attention_problem.cuh"
#include "ops/cuda/attention_ptx.cuh"

namespace glyph::ops::cuda {

inline constexpr int kFlashThreads = 128;
inline constexpr int kFlashRows = 128;  // query rows of a block
inline constexpr int kFlashKeys = 64;   // keys of a step

constexpr size_t flash_shared_bytes(int head_dim) {
  return 2 * static_cast<size_t>((kFlashRows + 2 * kFlashKeys) * head_dim);
}

// Where 16-byte piece `piece` of row `row` lies in a shared matrix of rows of kHeadDim: in an order that puts
// the same piece of 8 neighbouring rows into different banks. Offset in elements.
template <int kHeadDim>
__device__ inline unsigned swizzled(unsigned row, unsigned piece) {
  constexpr unsigned kPieces = kHeadDim / 8;
  constexpr unsigned kRowsOfBanks = kPieces >= 8 ? 1 : 8 / kPieces;  // rows that share one line of all banks
  constexpr unsigned kMask = kPieces >= 8 ? 7 : kPieces - 1;
  return row * kHeadDim + (piece ^ (row / kRowsOfBanks & kMask)) * 8;
}

// Starts copying rows 0 ... num_rows - 1 of `rows` to a shared matrix; rows up to kRows become zeros.
template <int kRows, int kHeadDim, int kThreads, typename T>
__device__ inline void load_tile(T* shared, const Rows<T>& rows, int num_rows, unsigned thread) {
  constexpr unsigned kPieces = kHeadDim / 8, kStep = kThreads / kPieces;  // rows that are copied at once
  const unsigned piece = thread % kPieces;
  const T* from = rows.data + thread / kPieces * rows.stride + piece * 8;
#pragma unroll
  for (unsigned i = 0; i < kRows / kStep; ++i) {
    const unsigned row = i * kStep + thread / kPieces;
    const bool valid = static_cast<int>(row) < num_rows;
    copy_async(shared + swizzled<kHeadDim>(row, piece), valid ? from : rows.data, valid);
    from += kStep * rows.stride;
  }
}

// Starts copying the query rows of a tile to a shared matrix; missing rows become zeros.
template <int kRows, int kHeadDim, int kThreads, typename T, typename Problem>
__device__ inline void load_queries(T* shared, const Problem& problem, const Tile& tile, unsigned thread) {
  constexpr unsigned kPieces = kHeadDim / 8;
  const unsigned piece = thread % kPieces;
  for (unsigned row = thread / kPieces; row < kRows; row += kThreads / kPieces) {
    const bool valid = static_cast<int>(row) < tile.num_rows;
    const Place place = problem.place(tile, valid ? static_cast<int>(row) : 0);
    copy_async(shared + swizzled<kHeadDim>(row, piece), problem.q.at(place.row, place.head) + piece * 8,
               valid);
  }
}

// What this lane reads of a shared matrix whenever the warp loads a 16x16 piece of it as one kind of operand
// of multiply_add(). The matrix begins at a multiple of 256 bytes.
template <int kHeadDim>
struct Operand {
  uint32_t address;  // of this lane's row of the piece at row 0, column 0

  __device__ static unsigned lane() { return threadIdx.x % 32; }
  // As left operand: rows of the query.
  template <typename T>
  __device__ static Operand left(const T* matrix) {
    return {shared_address(matrix + swizzled<kHeadDim>(lane() % 16, lane() / 16))};
  }
  // As right operand, rows are its columns: keys.
  template <typename T>
  __device__ static Operand columns(const T* matrix) {
    return {shared_address(matrix + swizzled<kHeadDim>(lane() / 16 * 8 + lane() % 8, lane() / 8 % 2))};
  }
  // As right operand, rows are its rows: values, to be loaded transposed.
  template <typename T>
  __device__ static Operand rows(const T* matrix) {
    return left(matrix);
  }

  // The piece at row `row` (a multiple of 16) and column 16 * step. Moving along a row changes only bits of
  // the swizzled piece number.
  __device__ uint32_t at(int row, int step) const {
    return (address ^ static_cast<uint32_t>(32 * step)) + static_cast<uint32_t>(2 * kHeadDim * row);
  }
};

// scores[m][n]: rows 16 m ... of this warp's, keys 8 n ...
template <typename T, int kHeadDim, int kTiles>
__device__ inline void flash_scores(const Operand<kHeadDim>& q, const Operand<kHeadDim>& keys,
                                    float (&scores)[kTiles][kFlashKeys / 8][4]) {
#pragma unroll
  for (int m = 0; m < kTiles; ++m) {
#pragma unroll
    for (int n = 0; n < kFlashKeys / 8; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) scores[m][n][i] = 0;
    }
  }
#pragma unroll
  for (int step = 0; step < kHeadDim / 16; ++step) {
    uint32_t a[kTiles][4];
#pragma unroll
    for (int m = 0; m < kTiles; ++m) load_matrices(a[m], q.at(16 * m, step));
#pragma unroll
    for (int n = 0; n < kFlashKeys / 8; n += 2) {
      uint32_t b[4];
      load_matrices(b, keys.at(8 * n, step));  // b[0], b[1]: the first 8 keys
#pragma unroll
      for (int m = 0; m < kTiles; ++m) {
        multiply_add<T>(scores[m][n], a[m], b[0], b[1]);
        multiply_add<T>(scores[m][n + 1], a[m], b[2], b[3]);
      }
    }
  }
}

// Keys from visible[h] on do not exist for row lane / 4 + 8 h.
template <int kCount>
__device__ inline void hide_keys(float (&scores)[kCount][4], const int (&visible)[2]) {
  const int column = static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
  for (int n = 0; n < kCount; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (8 * n + column + i % 2 >= visible[i / 2]) scores[n][i] = -INFINITY;
    }
  }
}

// State of the softmax of rows lane / 4 and lane / 4 + 8 of a 16-row tile.
struct SoftmaxRows {
  float largest[2] = {-INFINITY, -INFINITY};  // score, not scaled yet
  float sum[2] = {0, 0};                      // of this lane's keys
};

// Scores to weights 2^(scale_log2 (score - largest)); shrink[h]: what earlier results are to be multiplied
// by. Each row has a key that it sees among those of the first step.
template <int kCount>
__device__ inline void flash_softmax(float (&scores)[kCount][4], float scale_log2, SoftmaxRows& rows,
                                     float (&shrink)[2]) {
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    float top = rows.largest[h];
#pragma unroll
    for (int n = 0; n < kCount; ++n) top = fmaxf(top, fmaxf(scores[n][2 * h], scores[n][2 * h + 1]));
    top = quad_max(top);
    const float base = top * scale_log2;
    shrink[h] = fast_exp2(rows.largest[h] * scale_log2 - base);
    rows.largest[h] = top;
    float sum = 0;
#pragma unroll
    for (int n = 0; n < kCount; ++n) {
#pragma unroll
      for (int i = 2 * h; i < 2 * h + 2; ++i) {
        scores[n][i] = fast_exp2(fmaf(scores[n][i], scale_log2, -base));
        sum += scores[n][i];
      }
    }
    rows.sum[h] = rows.sum[h] * shrink[h] + sum;
  }
}

// Weights of 16 keys, as products leave them, to the left operand of the next product.
template <typename T>
__device__ inline void pack_weights(uint32_t (&a)[4], const float (&low)[4], const float (&high)[4]) {
  a[0] = pack_pair<T>(low[0], low[1]);
  a[1] = pack_pair<T>(low[2], low[3]);
  a[2] = pack_pair<T>(high[0], high[1]);
  a[3] = pack_pair<T>(high[2], high[3]);
}

// result[m][n] += weights of rows 16 m ... times columns 8 n ... of the values.
template <typename T, int kHeadDim, int kTiles>
__device__ inline void flash_mix(const float (&weights)[kTiles][kFlashKeys / 8][4],
                                 const Operand<kHeadDim>& values, float (&result)[kTiles][kHeadDim / 8][4]) {
#pragma unroll
  for (int key = 0; key < kFlashKeys; key += 16) {
    uint32_t a[kTiles][4];
#pragma unroll
    for (int m = 0; m < kTiles; ++m) pack_weights<T>(a[m], weights[m][key / 8], weights[m][key / 8 + 1]);
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; n += 2) {
      uint32_t b[4];
      load_transposed(b, values.at(key, n / 2));  // b[0], b[1]: the first 8 columns
#pragma unroll
      for (int m = 0; m < kTiles; ++m) {
        multiply_add<T>(result[m][n], a[m], b[0], b[1]);
        multiply_add<T>(result[m][n + 1], a[m], b[2], b[3]);
      }
    }
  }
}

template <int kCount>
__device__ inline void shrink_rows(float (&result)[kCount][4], const float (&shrink)[2]) {
#pragma unroll
  for (int n = 0; n < kCount; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) result[n][i] *= shrink[i / 2];
  }
}

// Rows first_row ... first_row + 15 of the tile, finished.
template <typename Problem, int kCount>
__device__ inline void put_results(const Problem& problem, const Tile& tile, int first_row,
                                   const SoftmaxRows& softmax, const float (&result)[kCount][4]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    const int row = first_row + 8 * h + lane / 4;
    const float sum = quad_sum(softmax.sum[h]), inverse = 1.0f / sum;
    if (row >= tile.num_rows) continue;
#pragma unroll
    for (int n = 0; n < kCount; ++n) {
      put_pair(problem, tile, row, 8 * n + lane % 4 * 2, result[n][2 * h] * inverse,
               result[n][2 * h + 1] * inverse);
    }
    if (lane % 4 == 0) put_total(problem, tile, row, softmax.largest[h] * problem.scale_log2, sum);
  }
}

template <int kHeadDim, typename Problem>
__global__ void __launch_bounds__(kFlashThreads, 2) flash_attention(const __grid_constant__ Problem problem) {
  using T = typename Problem::Query;
  constexpr int kTiles = kFlashRows / 4 / 16;  // of 16 rows, a warp
  const Tile tile = problem.template tile<kFlashRows>();
  if (tile.num_rows <= 0) return;
  extern __shared__ __align__(256) unsigned char shared_memory[];
  auto* const q = reinterpret_cast<T*>(shared_memory);
  auto* const keys = q + kFlashRows * kHeadDim;
  auto* const values = keys + kFlashKeys * kHeadDim;
  const unsigned thread = threadIdx.x;
  const int lane = static_cast<int>(thread % 32), first_row = static_cast<int>(thread / 32) * 16 * kTiles;

  auto q_operand = Operand<kHeadDim>::left(q + first_row * kHeadDim);
  auto key_operand = Operand<kHeadDim>::columns(keys), value_operand = Operand<kHeadDim>::rows(values);
  const int first_limit = tile.limit(0);  // keys before it are seen by all rows
  float result[kTiles][kHeadDim / 8][4] = {};
  SoftmaxRows softmax[kTiles];
  load_queries<kFlashRows, kHeadDim, kFlashThreads>(q, problem, tile, thread);
  load_tile<kFlashKeys, kHeadDim, kFlashThreads>(keys, problem.keys(tile, tile.begin), tile.end - tile.begin,
                                                 thread);
  commit_copies();
  for (int key = tile.begin; key < tile.end; key += kFlashKeys) {
    compute_from_here(q_operand.address);
    compute_from_here(key_operand.address);
    compute_from_here(value_operand.address);
    wait_copies<0>();
    __syncthreads();  // the keys are there, the values of the step before were read
    load_tile<kFlashKeys, kHeadDim, kFlashThreads>(values, problem.values(tile, key), tile.end - key, thread);
    commit_copies();
    float scores[kTiles][kFlashKeys / 8][4];
    flash_scores<T>(q_operand, key_operand, scores);
    wait_copies<0>();
    __syncthreads();  // the values are there, the keys were read
    if (key + kFlashKeys < tile.end) {
      const int next = key + kFlashKeys;
      load_tile<kFlashKeys, kHeadDim, kFlashThreads>(keys, problem.keys(tile, next), tile.end - next, thread);
      commit_copies();
    }
#pragma unroll
    for (int m = 0; m < kTiles; ++m) {
      const int row = first_row + 16 * m + lane / 4;
      if (key + kFlashKeys > first_limit) {
        hide_keys(scores[m], {tile.limit(row) - key, tile.limit(row + 8) - key});
      }
      float shrink[2];
      flash_softmax(scores[m], problem.scale_log2, softmax[m], shrink);
      shrink_rows(result[m], shrink);
    }
    flash_mix<T>(scores, value_operand, result);
  }

#pragma unroll
  for (int m = 0; m < kTiles; ++m) put_results(problem, tile, first_row + 16 * m, softmax[m], result[m]);
}

}  // namespace glyph::ops::cuda
