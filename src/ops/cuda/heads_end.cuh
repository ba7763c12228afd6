// The end of a product whose results are heads, in the kernel that multiplies: what would be two kernels more, each shorter than its
// start. The bits are those of the kernels for rows (rotary.cu, attention_store.cuh).
#pragma once

#include <type_traits>

#include "ops/cuda/attention_problem.cuh"
#include "ops/cuda/attention_ptx.cuh"
#include "ops/cuda/heads_end.h"
#include "ops/cuda/product_work.cuh"
#include "ops/cuda/rotary.cuh"

namespace glyph::ops::cuda {

template <typename End>
constexpr bool kEndsInHeads = std::is_same_v<End, HeadsEnd>;

// What the results of a block need at its end: kOutputs neighbours of one head, of up to kRows rows. It is looked up while weights and
// inputs are under way, and waits in shared memory, because they have the registers.
template <int kRows, int kOutputs>
struct HeadsBlock {
  static constexpr int kPairs = kOutputs / 2;
  void* places[kRows];  // of the first output; null: of a row without a sequence
  float cos[kRows][kPairs], sin[kRows][kPairs];

  static __device__ int first() { return static_cast<int>(blockIdx.x) * kOutputs; }
  static __device__ int in_head(const HeadsEnd& end) { return first() % end.table.kv.head_dim; }
  static __device__ bool turns(const HeadsEnd& end) { return first() < end.values; }

  // Sequences are not written by recorded work: before the wait.
  template <typename Work>
  __device__ void find_places(const HeadsEnd& end, const Work& work) {
    const int row = static_cast<int>(threadIdx.x);
    if (row >= work.rows) return;
    places[row] = first() < end.keys ? static_cast<float*>(work.out) + row * work.out_stride + first() : place_in_cache(end, row);
  }
  static __device__ void* place_in_cache(const HeadsEnd& end, int row) {
    const KvGeometry& kv = end.table.kv;
    const int position = static_cast<int>(end.table.sequences[row].num_tokens) - 1;
    if (position < 0) return nullptr;
    const int head = (first() - (turns(end) ? end.keys : end.values)) / kv.head_dim;
    const size_t offset = turns(end) ? kv.key_offset : kv.value_offset;
    const auto place = [&]<typename T>(T) -> void* {
      return const_cast<T*>(cached_rows<T>(kv, end.table.sequences[row].blocks, offset, head, position).data + in_head(end));
    };
    return end.table.dtype == DType::kF32 ? place(float{}) : place(__half{});  // or another type of two bytes
  }
  // Behind the wait: the angles are made by the same record.
  __device__ void ask_for_angles(const HeadsEnd& end, int rows) {
    const int row = static_cast<int>(threadIdx.x) / kPairs, pair = static_cast<int>(threadIdx.x) % kPairs;
    const int angle = in_head(end) / 2 + pair;
    if (row >= rows || !turns(end) || angle >= end.angles) return;
    copy_word_async(&cos[row][pair], end.cos + row * end.angles + angle);
    copy_word_async(&sin[row][pair], end.sin + row * end.angles + angle);
  }
  // The block meets once behind this, before the first put().
  static __device__ void wait_for_angles() { wait_all_copies(); }

  // Output m of the block; `other` is the one it makes a pair with.
  __device__ void put(const HeadsEnd& end, int row, int m, float value, float other) const {
    if (turns(end) && in_head(end) / 2 + m / 2 < end.angles) {
      const bool is_first = m % 2 == 0;
      float one = is_first ? value : other, two = is_first ? other : value;
      turn(one, two, cos[row][m / 2], sin[row][m / 2]);
      value = is_first ? one : two;
    }
    if (places[row] != nullptr) put_result(places[row], first() < end.keys ? DType::kF32 : end.table.dtype, m, value, false);
  }
};

// One of a block. A function, so that kernels with another end have none.
template <int kRows, int kOutputs>
__device__ HeadsBlock<kRows, kOutputs>& heads_block() {
  __shared__ HeadsBlock<kRows, kOutputs> block;
  return block;
}

}  // namespace glyph::ops::cuda
