// What a block of an attention kernel works on: some query rows of one head, a range of keys, and where both
// lie. A Problem is passed to the kernel by value; its tile() says what the block at blockIdx does.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

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

// Where results go: (rows, heads, head_dim) f32 or bf16.
struct Output {
  void* data;
  int64_t row_stride;
  int64_t head_stride;
  bool bf16;

  __device__ void put(int64_t row, int64_t head, int column, float value) const {
    const int64_t i = row * row_stride + head * head_stride + column;
    if (bf16) {
      static_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16_rn(value);
    } else {
      static_cast<float*>(data)[i] = value;
    }
  }
  // Columns `column` (even) and the next; rows and heads start at even elements.
  __device__ void put_pair(int64_t row, int64_t head, int column, float first, float second) const {
    const int64_t i = row * row_stride + head * head_stride + column;
    if (bf16) {
      *reinterpret_cast<__nv_bfloat162*>(static_cast<__nv_bfloat16*>(data) + i) =
          __floats2bfloat162_rn(first, second);
    } else {
      *reinterpret_cast<float2*>(static_cast<float*>(data) + i) = make_float2(first, second);
    }
  }
};

// T: type of the query.
template <typename T>
struct Tile {
  Rows<T> q;
  int num_rows;  // of q; 0: nothing to do
  int begin;     // keys begin ... end - 1; begin is a multiple of 64
  int end;
  int diagonal;       // row r sees keys up to diagonal + r
  int64_t first_row;  // where row 0 of q lies in the tensors
  int64_t first_key;  // where key 0 lies, if keys are rows of a tensor

  // Row r sees keys before this one.
  __device__ int limit(int r) const { return min(end, diagonal + r + 1); }
};

inline constexpr int kSeesAll = 1 << 30;  // a diagonal behind every key

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

// Grid: (tiles of all pages, heads).
template <typename T>
struct PagesProblem {
  using Query = T;
  static constexpr bool kPartial = false;
  HeadRows<T> q, k, v;
  Output out;
  float scale_log2;  // scale * log2(e)
  int head_dim;
  bool vectors;  // every row of q, k and v is aligned to four elements
  PageTable pages;

  template <int kRows>
  __device__ Tile<T> tile() const {
    const int x = static_cast<int>(blockIdx.x), page = pages.page_of_tile(x);
    const int begin = pages.first_row[page], tokens = pages.first_row[page + 1] - begin;
    const int row = (x - pages.first_tile[page]) * kRows;
    return {{q.at(begin + row, head()), q.row_stride},
            min(kRows, tokens - row),
            0,
            tokens,
            kSeesAll,
            begin + row,
            begin};
  }
  __device__ int head() const { return static_cast<int>(blockIdx.y); }
  __device__ Rows<T> keys(const Tile<T>& tile, int key) const {
    return {k.at(tile.first_key + key, head()), k.row_stride};
  }
  __device__ Rows<T> values(const Tile<T>& tile, int key) const {
    return {v.at(tile.first_key + key, head()), v.row_stride};
  }
  __device__ void put(const Tile<T>& tile, int row, int column, float value) const {
    out.put(tile.first_row + row, head(), column, value);
  }
};

// The rows of one KV head from position `key` on, up to the end of its block.
template <typename T>
__device__ Rows<T> cached_rows(const KvGeometry& kv, const void* const* blocks, size_t offset, int kv_head,
                               int key) {
  const auto* block = static_cast<const char*>(blocks[key / kv.block_tokens]) + offset;
  const int64_t row = int64_t{kv_head} * kv.block_tokens + key % kv.block_tokens;
  return {reinterpret_cast<const T*>(block) + row * kv.head_dim, kv.head_dim};
}

// A chunk of one sequence over its cache: row r sees positions up to first + r. Grid: (heads, tiles); the
// longest tiles start first.
template <typename T>
struct CausalProblem {
  using Query = T;
  static constexpr bool kPartial = false;
  HeadRows<T> q;
  Output out;
  float scale_log2;
  int head_dim;
  bool vectors;
  KvGeometry kv;
  const void* const* blocks;
  int num_rows;
  int first;
  int group;  // query heads of a KV head

  template <int kRows>
  __device__ Tile<T> tile() const {
    const int row = static_cast<int>(gridDim.y - 1 - blockIdx.y) * kRows;
    const int rows = min(kRows, num_rows - row);
    return {{q.at(row, head()), q.row_stride}, rows, 0, first + row + rows, first + row, row, 0};
  }
  __device__ int head() const { return static_cast<int>(blockIdx.x); }
  __device__ Rows<T> keys(const Tile<T>&, int key) const {
    return cached_rows<T>(kv, blocks, kv.key_offset, head() / group, key);
  }
  __device__ Rows<T> values(const Tile<T>&, int key) const {
    return cached_rows<T>(kv, blocks, kv.value_offset, head() / group, key);
  }
  __device__ void put(const Tile<T>& tile, int row, int column, float value) const {
    out.put(tile.first_row + row, head(), column, value);
  }
};

// What a split of a sequence leaves for the combining kernel.
struct Partials {
  float* values;  // (sequences, heads, splits, head_dim): normalised by the split's own sum
  float* totals;  // (sequences, heads, splits): log2 of that sum
};

// One query row of type Q a sequence, keys and values of type T. A tile holds up to kRows query heads of one
// KV head and sees one split of the keys. Grid: (splits, KV heads * tiles of a group, sequences).
template <typename Q, typename T>
struct DecodeProblem {
  using Query = Q;
  static constexpr bool kPartial = true;
  HeadRows<Q> q;
  Output out;         // used when there is one split
  Partials partials;  // used when there are several
  float scale_log2;
  int head_dim;
  bool vectors;
  KvGeometry kv;
  const DecodeSequence* sequences;
  int group;
  int num_splits;

  // Keys of a split, a multiple of 64; trailing splits may be empty.
  static __device__ int split_tokens(int num_tokens, int splits) {
    return ((num_tokens + splits - 1) / splits + 63) / 64 * 64;
  }

  template <int kRows>
  __device__ Tile<Q> tile() const {
    const int tokens = static_cast<int>(sequence().num_tokens), step = split_tokens(tokens, num_splits);
    const int begin = static_cast<int>(blockIdx.x) * step, end = min(tokens, begin + step);
    const int first = first_of_group<kRows>(), head = kv_head<kRows>() * group + first;
    const int rows = begin < end ? min(kRows, group - first) : 0;
    return {{q.at(blockIdx.z, head), q.head_stride}, rows, begin, end, kSeesAll, head, kv_head<kRows>()};
  }
  __device__ const DecodeSequence& sequence() const { return sequences[blockIdx.z]; }
  // In a decode tile first_row is the first query head, first_key the KV head.
  __device__ Rows<T> keys(const Tile<Q>& tile, int key) const {
    return cached_rows<T>(kv, sequence().blocks, kv.key_offset, static_cast<int>(tile.first_key), key);
  }
  __device__ Rows<T> values(const Tile<Q>& tile, int key) const {
    return cached_rows<T>(kv, sequence().blocks, kv.value_offset, static_cast<int>(tile.first_key), key);
  }
  __device__ void put(const Tile<Q>& tile, int row, int column, float value) const {
    if (num_splits == 1) {
      out.put(blockIdx.z, tile.first_row + row, column, value);
    } else {
      partials.values[slot(tile, row) * head_dim + column] = value;
    }
  }
  __device__ void put_total(const Tile<Q>& tile, int row, float total) const {
    if (num_splits > 1) partials.totals[slot(tile, row)] = total;
  }

 private:
  template <int kRows>
  __device__ int tiles_of_group() const {
    return (group + kRows - 1) / kRows;
  }
  template <int kRows>
  __device__ int kv_head() const {
    return static_cast<int>(blockIdx.y) / tiles_of_group<kRows>();
  }
  template <int kRows>
  __device__ int first_of_group() const {
    return static_cast<int>(blockIdx.y) % tiles_of_group<kRows>() * kRows;
  }
  __device__ int64_t slot(const Tile<Q>& tile, int row) const {
    const int64_t heads = int64_t{kv.num_kv_heads} * group;
    return (blockIdx.z * heads + tile.first_row + row) * num_splits + blockIdx.x;
  }
};

}  // namespace glyph::ops::cuda
