// Keys and values into the blocks of a cache.
#pragma once

#include <cuda_runtime.h>

#include "ops/cuda/attention_problem.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/quantise.cuh"

namespace glyph::ops::cuda {

inline constexpr int kStoreThreads = 256;

// A tensor (rows, heads, head_dim) f32, f16 or bf16.
struct StoreSource {
  const void* data;
  int64_t row_stride;
  int64_t head_stride;
  DType type;

  __device__ float at(int64_t row, int64_t head, int column) const {
    const int64_t i = row * row_stride + head * head_stride + column;
    if (type == DType::kBF16) return __bfloat162float(static_cast<const __nv_bfloat16*>(data)[i]);
    if (type == DType::kF16) return __half2float(static_cast<const __half*>(data)[i]);
    return static_cast<const float*>(data)[i];
  }
};

struct StoreProblem {
  StoreSource k, v;
  KvGeometry kv;
  DType type;  // of the cache
  // Either row i goes to position first + i of `blocks`, or to the last position of sequence i.
  const void* const* blocks;
  int64_t first;
  const DecodeSequence* sequences;
};

// Address of one element of a cache, in elements from where its head's rows of the block begin.
__device__ inline void store_element(const StoreProblem& problem, const void* block, size_t offset,
                                     int64_t element, float value) {
  char* const to = const_cast<char*>(static_cast<const char*>(block)) + offset;
  if (problem.type == DType::kBF16) {
    reinterpret_cast<__nv_bfloat16*>(to)[element] = __float2bfloat16_rn(value);
  } else if (problem.type == DType::kF16) {
    reinterpret_cast<__half*>(to)[element] = __float2half_rn(value);
  } else {
    reinterpret_cast<float*>(to)[element] = value;
  }
}

// All heads of one row as e4m3, one of them to a warp at a time. The same bits as on the host: ops::e4m3_factor().
__device__ inline void store_e4m3_row(const StoreProblem& problem, const void* block, int64_t row, int64_t row_of_block) {
  const KvGeometry& kv = problem.kv;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int i = static_cast<int>(threadIdx.x) / kWarp; i < 2 * kv.num_kv_heads; i += kStoreThreads / kWarp) {
    const int head = i / 2;
    const StoreSource& from = i % 2 == 0 ? problem.k : problem.v;
    char* const half = const_cast<char*>(static_cast<const char*>(block)) + (i % 2 == 0 ? kv.key_offset : kv.value_offset);
    const int64_t number = int64_t{head} * kv.block_tokens + row_of_block;
    float largest = 0;
    bool broken = false;
    for (int column = lane; column < kv.head_dim; column += kWarp) {
      const float x = from.at(row, head, column);
      largest = fmaxf(largest, fabsf(x));
      broken = broken || isnan(x);
    }
    broken = __any_sync(0xFFFFFFFFu, broken);
    largest = reduce_warp(largest, [](float a, float b) { return fmaxf(a, b); });
    const float factor = largest < 1e-30f ? 0.0f : kLargestE4M3 / largest;
    E4M3* const to = reinterpret_cast<E4M3*>(half) + number * kv.head_dim;
    for (int column = lane; column < kv.head_dim; column += kWarp) put(to + column, from.at(row, head, column) * factor);
    if (lane == 0) reinterpret_cast<float*>(half + scale_offset(kv))[number] = broken ? NAN : largest / kLargestE4M3;
  }
}

// Grid: rows.
__global__ void __launch_bounds__(kStoreThreads) store_rows(const __grid_constant__ StoreProblem problem) {
  let_next_kernel_start();
  const int64_t row = blockIdx.x;
  const void* const* blocks = problem.blocks;
  int64_t position = problem.first + row;
  if (problem.sequences != nullptr) {
    blocks = problem.sequences[row].blocks;
    position = problem.sequences[row].num_tokens - 1;
  }
  const KvGeometry& kv = problem.kv;
  const void* const block = position < 0 ? nullptr : blocks[position / kv.block_tokens];
  wait_for_kernel_before();
  if (position < 0) return;
  const int64_t row_of_block = position % kv.block_tokens;
  if (problem.type == DType::kE4M3) return store_e4m3_row(problem, block, row, row_of_block);
  for (int i = static_cast<int>(threadIdx.x); i < kv.num_kv_heads * kv.head_dim; i += kStoreThreads) {
    const int head = i / kv.head_dim, column = i % kv.head_dim;
    const int64_t element = (int64_t{head} * kv.block_tokens + row_of_block) * kv.head_dim + column;
    store_element(problem, block, kv.key_offset, element, problem.k.at(row, head, column));
    store_element(problem, block, kv.value_offset, element, problem.v.at(row, head, column));
  }
}

// Many rows, one after the other, of the type of the cache: 16 bytes a thread, `pieces` of them a head.
__global__ void __launch_bounds__(kStoreThreads)
    store_many_rows(const __grid_constant__ StoreProblem problem, unsigned pieces, unsigned count) {
  const unsigned index = blockIdx.x * kStoreThreads + threadIdx.x;
  if (index >= count) return;
  const KvGeometry& kv = problem.kv;
  const unsigned piece = index % pieces, number = index / pieces % (2 * kv.num_kv_heads), head = number % kv.num_kv_heads;
  const unsigned row = index / pieces / (2 * kv.num_kv_heads);
  const bool key = number < static_cast<unsigned>(kv.num_kv_heads);
  const StoreSource& from = key ? problem.k : problem.v;
  const int64_t element_bytes = problem.type == DType::kF32 ? 4 : 2, position = problem.first + row;
  const int64_t of_source = (row * from.row_stride + head * from.head_stride) * element_bytes;
  const int64_t of_block = (int64_t{head} * kv.block_tokens + position % kv.block_tokens) * kv.head_dim * element_bytes;
  char* const half = const_cast<char*>(static_cast<const char*>(problem.blocks[position / kv.block_tokens])) +
                     (key ? kv.key_offset : kv.value_offset);
  reinterpret_cast<uint4*>(half + of_block)[piece] =
      reinterpret_cast<const uint4*>(static_cast<const char*>(from.data) + of_source)[piece];
}

}  // namespace glyph::ops::cuda
