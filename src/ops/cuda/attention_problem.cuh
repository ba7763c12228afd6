// What a block of an attention kernel works on: some query rows of one head, a range of keys, and where both
// lie. A Problem is passed to the kernel by value; its tile() says what the block at blockIdx does.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>
#include <type_traits>

#include "ops/cuda/attention_decode.h"

namespace glyph::ops::cuda {

// A tensor (rows, heads, head_dim), the last dimension dense; strides in elements.
template <typename T>
struct HeadRows {
  const T* data;
  int64_t row_stride;
  int64_t head_stride;

  __device__ const T* at(int64_t row, int64_t head) const {
    return data + row * row_stride + head * head_stride;
  }
};

// Rows of one head that lie `stride` elements apart.
template <typename T>
struct Rows {
  const T* data;
  int64_t stride;
};
template <>
struct Rows<E4M3> {
  const E4M3* data;
  int64_t stride;
  const float* scales;  // a row's each
};

// Where results go: (rows, heads, head_dim) f32, f16 or bf16.
struct Output {
  void* data;
  int64_t row_stride;
  int64_t head_stride;
  DType type;
  bool pairs;  // every row of a head is aligned to two elements

  __device__ void put(int64_t row, int64_t head, int column, float value) const {
    const int64_t i = row * row_stride + head * head_stride + column;
    if (type == DType::kBF16) {
      static_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16_rn(value);
    } else if (type == DType::kF16) {
      static_cast<__half*>(data)[i] = __float2half_rn(value);
    } else {
      static_cast<float*>(data)[i] = value;
    }
  }
  // Columns `column` (even) and the next.
  __device__ void put_pair(int64_t row, int64_t head, int column, float first, float second) const {
    if (!pairs) {
      put(row, head, column, first);
      put(row, head, column + 1, second);
      return;
    }
    const int64_t i = row * row_stride + head * head_stride + column;
    if (type == DType::kBF16) {
      *reinterpret_cast<__nv_bfloat162*>(static_cast<__nv_bfloat16*>(data) + i) =
          __floats2bfloat162_rn(first, second);
    } else if (type == DType::kF16) {
      *reinterpret_cast<__half2*>(static_cast<__half*>(data) + i) = __floats2half2_rn(first, second);
    } else {
      *reinterpret_cast<float2*>(static_cast<float*>(data) + i) = make_float2(first, second);
    }
  }
};

struct Tile {
  int num_rows;   // query rows; 0: nothing to do
  int first_row;  // number of row 0; a Problem knows what the numbers mean
  int group;      // rows that follow one another and are at the same position
  int position;   // of row number 0
  int begin;      // keys begin ... end - 1; begin is a multiple of 64
  int end;
  int first_key;  // row of key 0, where keys are rows of a tensor

  // Row r sees keys before this one.
  __device__ int limit(int r) const { return min(end, position + (first_row + r) / group + 1); }
};

inline constexpr int kSeesAll = 1 << 30;  // a position behind every key

// A row of the query and of the result.
struct Place {
  int64_t row;
  int64_t head;
};

// Pages that follow one another, each of which sees itself.
struct PageTable {
  static constexpr int kMaxPages = 448;  // a problem stays below 4 KiB, which every driver passes
  int num_pages;
  int first_row[kMaxPages + 1];
  int first_tile[kMaxPages + 1];

  __device__ int page_of_tile(int tile) const {
    int low = 0, high = num_pages;  // first_tile[low] <= tile < first_tile[high]
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      if (tile < first_tile[middle]) {
        high = middle;
      } else {
        low = middle;
      }
    }
    return low;
  }
};

// Rows are numbered as in the tensors. Grid: (tiles of all pages, heads).
template <typename T>
struct PagesProblem {
  using Query = T;
  HeadRows<T> q, k, v;
  Output out;
  float scale_log2;  // scale * log2(e)
  int head_dim;
  bool vectors;  // every row of q, k and v is aligned to four elements
  PageTable pages;

  template <int kRows>
  __device__ Tile tile() const {
    const int x = static_cast<int>(blockIdx.x), page = pages.page_of_tile(x), first = pages.first_row[page];
    const int row = (x - pages.first_tile[page]) * kRows, tokens = pages.first_row[page + 1] - first;
    return {min(kRows, tokens - row), first + row, 1, kSeesAll, 0, tokens, first};
  }
  __device__ Place place(const Tile& tile, int row) const { return {tile.first_row + row, blockIdx.y}; }
  __device__ Rows<T> keys(const Tile& tile, int key) const {
    return {k.at(tile.first_key + key, blockIdx.y), k.row_stride};
  }
  __device__ Rows<T> values(const Tile& tile, int key) const {
    return {v.at(tile.first_key + key, blockIdx.y), v.row_stride};
  }
};

// KvLayer::scale_offset()
__device__ inline int64_t scale_offset(const KvGeometry& kv) { return int64_t{kv.num_kv_heads} * kv.block_tokens * kv.head_dim; }

// The rows of one KV head from position `key` on, up to the end of its block.
template <typename T>
__device__ Rows<T> cached_rows(const KvGeometry& kv, const void* const* blocks, size_t offset, int kv_head,
                               int key) {
  const auto* half = static_cast<const char*>(blocks[key / kv.block_tokens]) + offset;
  const int64_t row = int64_t{kv_head} * kv.block_tokens + key % kv.block_tokens;
  const T* const data = reinterpret_cast<const T*>(half) + row * kv.head_dim;
  if constexpr (std::is_same_v<T, E4M3>) {
    return {data, kv.head_dim, reinterpret_cast<const float*>(half + scale_offset(kv)) + row};
  } else {
    return {data, kv.head_dim};
  }
}

// What the splits of the keys of a row leave for the combining kernel.
struct Partials {
  float* values;  // (rows, heads, splits, head_dim): normalised by the split's own sum
  float* totals;  // (rows, heads, splits): log2 of that sum
  int num_splits;

  __device__ int64_t slot(const Place& place, int64_t num_heads, int split) const {
    return (place.row * num_heads + place.head) * num_splits + split;
  }
};

// Keys of each split, a multiple of `unit`; trailing splits may be empty.
__device__ inline int split_keys(int num_keys, int num_splits, int unit) {
  return ((num_keys + num_splits - 1) / num_splits + unit - 1) / unit * unit;
}

// A chunk of one sequence over its cache: its row r sees positions up to first + r. The query heads of a KV
// head that belong to one row of the chunk are `group` rows here, so that they share keys and values. Grid:
// (KV heads, tiles, splits); the longest tiles start first.
template <typename T>
struct CausalProblem {
  using Query = T;
  HeadRows<T> q;
  Output out;
  Partials partials;
  float scale_log2;
  int head_dim;
  bool vectors;
  KvGeometry kv;
  const void* const* blocks;
  int num_rows;  // of the chunk
  int first;
  int group;

  template <int kRows>
  __device__ Tile tile() const {
    const int row = static_cast<int>(gridDim.y - 1 - blockIdx.y) * kRows;
    const int rows = min(kRows, num_rows * group - row);
    const int keys = first + (row + rows - 1) / group + 1;
    const int begin = static_cast<int>(blockIdx.z) * keys_of_split(0),
              end = min(keys, begin + keys_of_split(0));
    return {begin < end ? rows : 0, row, group, first, begin, end, 0};
  }
  __device__ Place place(const Tile& tile, int row) const {
    const int number = tile.first_row + row;
    return {number / group, static_cast<int>(blockIdx.x) * group + number % group};
  }
  __device__ Rows<T> keys(const Tile&, int key) const {
    return cached_rows<T>(kv, blocks, kv.key_offset, static_cast<int>(blockIdx.x), key);
  }
  __device__ Rows<T> values(const Tile&, int key) const {
    return cached_rows<T>(kv, blocks, kv.value_offset, static_cast<int>(blockIdx.x), key);
  }
  __device__ int split() const { return static_cast<int>(blockIdx.z); }
  __device__ int num_heads() const { return kv.num_kv_heads * group; }
  // For the combining kernel: what row `row` of the tensors sees, and how it was split.
  __device__ int keys_of_row(int row) const { return first + row + 1; }
  __device__ int keys_of_split(int) const { return split_keys(first + num_rows, partials.num_splits, 128); }
};

// One query row of type Q a sequence, keys and values of type T. Rows here are its query heads; a tile has
// those of one KV head, up to kRows. Grid: (splits, KV heads * tiles of a group, sequences).
template <typename Q, typename T>
struct DecodeProblem {
  using Query = Q;
  HeadRows<Q> q;
  Output out;
  Partials partials;
  float scale_log2;
  int head_dim;
  bool vectors;
  KvGeometry kv;
  const DecodeSequence* sequences;
  int group;  // query heads of a KV head

  template <int kRows>
  __device__ Tile tile() const {
    const int tiles = (group + kRows - 1) / kRows;  // of a KV head
    const int kv_head = static_cast<int>(blockIdx.y) / tiles,
              row = static_cast<int>(blockIdx.y) % tiles * kRows;
    const int sequence = static_cast<int>(blockIdx.z), keys = keys_of_row(sequence);
    const int begin = split() * keys_of_split(sequence), end = min(keys, begin + keys_of_split(sequence));
    const int rows = begin < end ? min(kRows, group - row) : 0;
    return {rows, kv_head * group + row, 1, kSeesAll, begin, end, 0};
  }
  __device__ Place place(const Tile& tile, int row) const { return {blockIdx.z, tile.first_row + row}; }
  __device__ Rows<T> keys(const Tile& tile, int key) const {
    return cached_rows<T>(kv, sequences[blockIdx.z].blocks, kv.key_offset, tile.first_row / group, key);
  }
  __device__ Rows<T> values(const Tile& tile, int key) const {
    return cached_rows<T>(kv, sequences[blockIdx.z].blocks, kv.value_offset, tile.first_row / group, key);
  }
  __device__ int split() const { return static_cast<int>(blockIdx.x); }
  __device__ int num_heads() const { return kv.num_kv_heads * group; }
  __device__ int keys_of_row(int row) const { return static_cast<int>(sequences[row].num_tokens); }
  __device__ int keys_of_split(int row) const {
    return split_keys(keys_of_row(row), partials.num_splits, 64);
  }
};

// Two neighbouring columns of row `row` of the tile, the first one even: to the result, or where they wait
// for those of the other splits.
template <typename Problem>
__device__ inline void put_pair(const Problem& problem, const Tile& tile, int row, int column, float first,
                                float second) {
  const Place place = problem.place(tile, row);
  if constexpr (requires { problem.partials; }) {
    if (problem.partials.num_splits > 1) {
      const int64_t slot = problem.partials.slot(place, problem.num_heads(), problem.split());
      float* const to = problem.partials.values + slot * problem.head_dim + column;
      *reinterpret_cast<float2*>(to) = make_float2(first, second);
      return;
    }
  }
  problem.out.put_pair(place.row, place.head, column, first, second);
}

// The log2 of the sum of the weights of row `row` of the tile, whose largest has exponent `largest`.
template <typename Problem>
__device__ inline void put_total(const Problem& problem, const Tile& tile, int row, float largest,
                                 float sum) {
  if constexpr (requires { problem.partials; }) {
    if (problem.partials.num_splits == 1) return;
    const int64_t slot =
        problem.partials.slot(problem.place(tile, row), problem.num_heads(), problem.split());
    problem.partials.totals[slot] = largest + log2f(sum);
  }
}

}  // namespace glyph::ops::cuda
