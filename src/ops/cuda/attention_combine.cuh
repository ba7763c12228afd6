// Puts together what the splits of the keys of a row left.
#pragma once

#include <cuda_runtime.h>

#include "ops/cuda/attention_launch.cuh"
#include "ops/cuda/attention_problem.cuh"

namespace glyph::ops::cuda {

inline constexpr int kCombineThreads = 256;
inline constexpr int kMaxHeadDim = 256;
inline constexpr int kMaxSplits = 256;

// Largest of the block; every thread gets it. `shared`: one float a warp.
__device__ inline float block_max(float x, float* shared) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, step));
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = x;
  __syncthreads();
  float top = shared[0];
#pragma unroll
  for (int w = 1; w < kCombineThreads / 32; ++w) top = fmaxf(top, shared[w]);
  return top;
}

// One head of one row: the weighted mean of what its splits left. Grid: (heads, rows). Warp w takes splits w, w + 8, ...; the first of them are
// asked for before their weights are known.
template <typename Problem>
__global__ void __launch_bounds__(kCombineThreads) combine_splits(const __grid_constant__ Problem problem) {
  constexpr int kWarps = kCombineThreads / 32, kColumns = kMaxHeadDim / 32, kAhead = 7;
  __shared__ float weights[kMaxSplits], tops[kWarps], sums[kWarps][kMaxHeadDim];
  let_next_kernel_start();
  const int row = static_cast<int>(blockIdx.y), keys = problem.keys_of_row(row), step = problem.keys_of_split(row);
  wait_for_kernel_before();
  if (keys <= 0) return;
  const int splits = (keys + step - 1) / step;  // that hold keys of this row, at most kMaxSplits
  const int64_t first = problem.partials.slot({row, blockIdx.x}, gridDim.x, 0);
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  const auto each_column = [&](const auto& body) {
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      if (32 * c + lane < problem.head_dim) body(c, 32 * c + lane);
    }
  };
  const float* const values = problem.partials.values + first * problem.head_dim;
  const float total = thread < splits ? problem.partials.totals[first + thread] : -INFINITY;
  float ahead[kAhead][kColumns];
#pragma unroll
  for (int i = 0; i < kAhead; ++i) {
    const int split = warp + i * kWarps;
    if (split < splits) each_column([&](int c, int column) { ahead[i][c] = values[split * problem.head_dim + column]; });
  }
  const float top = block_max(total, tops);
  weights[thread] = exp2f(total - top);
  __syncthreads();

  float sum[kColumns] = {}, weight_sum = 0;
#pragma unroll
  for (int i = 0; i < kAhead; ++i) {
    const int split = warp + i * kWarps;
    if (split >= splits) break;
    weight_sum += weights[split];
    each_column([&](int c, int) { sum[c] = fmaf(weights[split], ahead[i][c], sum[c]); });
  }
#pragma unroll 2
  for (int split = warp + kAhead * kWarps; split < splits; split += kWarps) {
    weight_sum += weights[split];
    each_column([&](int c, int column) { sum[c] = fmaf(weights[split], values[split * problem.head_dim + column], sum[c]); });
  }
#pragma unroll
  for (int c = 0; c < kColumns; ++c) sums[warp][32 * c + lane] = sum[c];
  if (lane == 0) tops[warp] = weight_sum;
  __syncthreads();

  if (thread >= problem.head_dim) return;
  float value = 0, all = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) {
    value += sums[w][thread];
    all += tops[w];
  }
  problem.out.put(blockIdx.y, blockIdx.x, thread, value / all);
}

static_assert(kMaxSplits == kCombineThreads && kMaxHeadDim <= kCombineThreads, "a thread each");

// Memory for what the splits leave.
inline size_t partial_bytes(const ConstTensorView& q, int num_splits) {
  return static_cast<size_t>(q.size(0) * q.size(1) * num_splits * (q.size(2) + 1)) * sizeof(float);
}
inline Partials partials_in(void* memory, const ConstTensorView& q, int num_splits) {
  auto* const values = static_cast<float*>(memory);
  return {values, values + q.size(0) * q.size(1) * q.size(2) * num_splits, num_splits};
}

// After the kernel that left them. Nothing to do when there is one split: its results are final.
template <typename Problem>
void combine(CudaDevice& device, const ConstTensorView& q, const Problem& problem) {
  if (problem.partials.num_splits == 1) return;
  const dim3 grid(count_of(q.size(1)), count_of(q.size(0)));
  launch(device, "combine_splits", combine_splits<Problem>, {grid, kCombineThreads, 0, Start::kRecorded}, problem);
}

}  // namespace glyph::ops::cuda
