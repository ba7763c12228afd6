// Attention on the CUDA cores: products and sums in f32, any head size up to 256, any alignment. What the
// tensor cores cannot do (f32, odd head sizes) and what they are checked against.
//
// A block of 256 threads, 16 x 16, holds 16 kRows query rows and walks over the keys in steps of 64. Thread
// (x, y) owns rows kRows y ..., of the scores keys x, x + 16, ..., of the result columns 4 x ... 4 x + 3 of
// every 64. Keys and values take turns in one buffer, so that a block fits the 99 KiB of small GPUs.
#pragma once

#include <cuda_runtime.h>

#include "ops/cuda/attention_problem.cuh"
#include "ops/cuda/elements.cuh"

namespace glyph::ops::cuda {

inline constexpr int kPlainThreads = 256;
inline constexpr int kPlainKeys = 64;  // of a step

// Shared rows are four floats longer than a head, so that equal columns of 8 rows lie in different banks.
__host__ __device__ constexpr int plain_stride(int head_dim) { return head_dim + 4; }
constexpr size_t plain_shared_bytes(int rows, int head_dim) {
  return sizeof(float) *
         static_cast<size_t>((rows + kPlainKeys) * plain_stride(head_dim) + rows * plain_stride(kPlainKeys));
}

__device__ inline float widen(float x) { return x; }
__device__ inline float widen(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline float widen(__half x) { return __half2float(x); }
__device__ inline float widen(E4M3 x) { return to_f32(x); }

__device__ inline float4 widen_four(const float* x) { return *reinterpret_cast<const float4*>(x); }
__device__ inline float4 widen_four(const __nv_bfloat16* x) {
  const uint2 bits = *reinterpret_cast<const uint2*>(x);
  return make_float4(__uint_as_float(bits.x << 16), __uint_as_float(bits.x & 0xFFFF0000u),
                     __uint_as_float(bits.y << 16), __uint_as_float(bits.y & 0xFFFF0000u));
}
__device__ inline float4 widen_four(const __half* x) {
  const float2 first = __half22float2(*reinterpret_cast<const __half2*>(x)),
               second = __half22float2(*reinterpret_cast<const __half2*>(x + 2));
  return make_float4(first.x, first.y, second.x, second.y);
}

__device__ inline float4 widen_four(const E4M3* x) {
  float wide[4];
  load(x, wide);
  return make_float4(wide[0], wide[1], wide[2], wide[3]);
}

// Rows 0 ... num_rows - 1 to shared memory as f32, zeros up to kRows; row_at(i) says where row i is, scale_at(i) what its elements are
// multiplied by.
template <int kRows, typename RowAt, typename ScaleAt>
__device__ void load_plain(float* shared, int num_rows, int head_dim, bool vectors, const RowAt& row_at, const ScaleAt& scale_at) {
  const int pieces = head_dim / 4;
  for (int i = static_cast<int>(threadIdx.x); i < kRows * pieces; i += kPlainThreads) {
    const int row = i / pieces, column = i % pieces * 4;
    float4 x = make_float4(0, 0, 0, 0);
    if (row < num_rows) {
      const auto* from = row_at(row) + column;
      x = vectors ? widen_four(from)
                  : make_float4(widen(from[0]), widen(from[1]), widen(from[2]), widen(from[3]));
      const float scale = scale_at(row);
      x = make_float4(x.x * scale, x.y * scale, x.z * scale, x.w * scale);
    }
    *reinterpret_cast<float4*>(shared + row * plain_stride(head_dim) + column) = x;
  }
}
template <typename T>
__device__ void load_plain(float* shared, int num_rows, int head_dim, bool vectors, const Rows<T>& rows) {
  const auto row_at = [&](int row) { return rows.data + row * rows.stride; };
  if constexpr (std::is_same_v<T, E4M3>) {
    load_plain<kPlainKeys>(shared, num_rows, head_dim, vectors, row_at, [&](int row) { return rows.scales[row]; });
  } else {
    load_plain<kPlainKeys>(shared, num_rows, head_dim, vectors, row_at, [](int) { return 1.0f; });
  }
}

__device__ inline float dot(const float4& a, const float4& b, float sum) {
  return fmaf(a.x, b.x, fmaf(a.y, b.y, fmaf(a.z, b.z, fmaf(a.w, b.w, sum))));
}

// Largest and sum of the 16 threads of one y.
__device__ inline float max_of_16(float x) {
#pragma unroll
  for (int step = 8; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, step));
  return x;
}
__device__ inline float sum_of_16(float x) {
#pragma unroll
  for (int step = 8; step > 0; step /= 2) x += __shfl_xor_sync(0xFFFFFFFFu, x, step);
  return x;
}

// scores[i][j] = q row kRows y + i times key x + 16 j.
template <int kRows>
__device__ void plain_scores(const float* q, const float* keys, int head_dim, float (&scores)[kRows][4]) {
  const int x = static_cast<int>(threadIdx.x) % 16, y = static_cast<int>(threadIdx.x) / 16;
  const int stride = plain_stride(head_dim);
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) scores[i][j] = 0;
  }
#pragma unroll 4
  for (int d = 0; d < head_dim; d += 4) {
    float4 key[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) key[j] = *reinterpret_cast<const float4*>(keys + (x + 16 * j) * stride + d);
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      const float4 row = *reinterpret_cast<const float4*>(q + (kRows * y + i) * stride + d);
#pragma unroll
      for (int j = 0; j < 4; ++j) scores[i][j] = dot(row, key[j], scores[i][j]);
    }
  }
}

__device__ inline void add_scaled(float weight, const float4& value, float (&sum)[4]) {
  sum[0] = fmaf(weight, value.x, sum[0]);
  sum[1] = fmaf(weight, value.y, sum[1]);
  sum[2] = fmaf(weight, value.z, sum[2]);
  sum[3] = fmaf(weight, value.w, sum[3]);
}

// result[i][c] += weights of row kRows y + i times columns 64 c + 4 x ... of the values.
template <int kRows, int kColumns>
__device__ void plain_mix(const float* weights, const float* values, int head_dim,
                          float (&result)[kRows][kColumns][4]) {
  const int x = static_cast<int>(threadIdx.x) % 16, y = static_cast<int>(threadIdx.x) / 16;
  const int stride = plain_stride(head_dim);
#pragma unroll 2
  for (int key = 0; key < kPlainKeys; key += 4) {
    float4 weight[kRows];
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      weight[i] =
          *reinterpret_cast<const float4*>(weights + (kRows * y + i) * plain_stride(kPlainKeys) + key);
    }
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      const int column = 64 * c + 4 * x;
      if (column >= head_dim) continue;
      float4 value[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        value[j] = *reinterpret_cast<const float4*>(values + (key + j) * stride + column);
      }
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        add_scaled(weight[i].x, value[0], result[i][c]);
        add_scaled(weight[i].y, value[1], result[i][c]);
        add_scaled(weight[i].z, value[2], result[i][c]);
        add_scaled(weight[i].w, value[3], result[i][c]);
      }
    }
  }
}

// Scores to weights 2^(score scale_log2 - largest), which go to shared memory; returns by how much what was
// summed before must shrink. `largest` (in units of log2) and `sum` (of this thread's keys) are updated.
__device__ inline float plain_softmax(float (&scores)[4], float scale_log2, int visible, float* weights,
                                      float& largest, float& sum) {
  const int x = static_cast<int>(threadIdx.x) % 16;
  float top = -INFINITY;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    scores[j] = x + 16 * j < visible ? scores[j] * scale_log2 : -INFINITY;
    top = fmaxf(top, scores[j]);
  }
  top = fmaxf(largest, max_of_16(top));
  // A row that has seen nothing yet keeps -infinity without making a NaN of it.
  const float base = top == -INFINITY ? 0 : top;
  const float shrink = exp2f(largest - base);
  float added = 0;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const float weight = exp2f(scores[j] - base);
    weights[x + 16 * j] = weight;
    added += weight;
  }
  largest = top;
  sum = sum * shrink + added;
  return shrink;
}

template <int kRowsPerThread, int kColumns, typename Problem>
__global__ void __launch_bounds__(kPlainThreads) plain_attention(const __grid_constant__ Problem problem) {
  constexpr int kRows = 16 * kRowsPerThread;
  const Tile tile = problem.template tile<kRows>();
  if (tile.num_rows <= 0) return;
  extern __shared__ __align__(256) unsigned char shared_memory[];
  const int head_dim = problem.head_dim, stride = plain_stride(head_dim);
  float* const q = reinterpret_cast<float*>(shared_memory);
  float* const other = q + kRows * stride;  // keys, then values
  float* const weights = other + kPlainKeys * stride;
  const int x = static_cast<int>(threadIdx.x) % 16, y = static_cast<int>(threadIdx.x) / 16;

  float result[kRowsPerThread][kColumns][4] = {}, largest[kRowsPerThread], sum[kRowsPerThread] = {};
#pragma unroll
  for (int i = 0; i < kRowsPerThread; ++i) largest[i] = -INFINITY;

  load_plain<kRows>(q, tile.num_rows, head_dim, problem.vectors, [&](int row) {
    const Place place = problem.place(tile, row);
    return problem.q.at(place.row, place.head);
  }, [](int) { return 1.0f; });
  for (int key = tile.begin; key < tile.end; key += kPlainKeys) {
    const int num_keys = min(kPlainKeys, tile.end - key);
    __syncthreads();  // the values of the step before were read
    load_plain(other, num_keys, head_dim, problem.vectors, problem.keys(tile, key));
    __syncthreads();
    float scores[kRowsPerThread][4];
    plain_scores(q, other, head_dim, scores);
#pragma unroll
    for (int i = 0; i < kRowsPerThread; ++i) {
      const int row = kRowsPerThread * y + i;
      const float shrink = plain_softmax(scores[i], problem.scale_log2, tile.limit(row) - key,
                                         weights + row * plain_stride(kPlainKeys), largest[i], sum[i]);
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
#pragma unroll
        for (int j = 0; j < 4; ++j) result[i][c][j] *= shrink;
      }
    }
    __syncthreads();  // the keys were read, the weights are there
    load_plain(other, num_keys, head_dim, problem.vectors, problem.values(tile, key));
    __syncthreads();
    plain_mix(weights, other, head_dim, result);
  }

#pragma unroll
  for (int i = 0; i < kRowsPerThread; ++i) {
    const int row = kRowsPerThread * y + i;
    const float total = sum_of_16(sum[i]);  // all lanes take part
    if (row >= tile.num_rows) continue;
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
#pragma unroll
      for (int j = 0; j < 4; j += 2) {
        const int column = 64 * c + 4 * x + j;
        if (column < head_dim) {
          put_pair(problem, tile, row, column, result[i][c][j] / total, result[i][c][j + 1] / total);
        }
      }
    }
    if (x == 0) put_total(problem, tile, row, largest[i], total);
  }
}

}  // namespace glyph::ops::cuda
