// Sums and maxima over a block.
#pragma once

namespace glyph::ops::cuda {

constexpr int kWarp = 32;

template <typename T, typename Combine>
__device__ T reduce_warp(T value, const Combine& combine) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    value = combine(value, __shfl_xor_sync(0xFFFFFFFFu, value, offset));
  }
  return value;
}

// The same value in every thread, after one barrier: `partial`, kWarp floats of shared memory, must be one that no thread still reads.
// blockDim.x is a multiple of 32; `neutral` changes nothing when combined.
template <typename Combine>
__device__ float reduce_block(float value, float neutral, float* partial, const Combine& combine) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  value = reduce_warp(value, combine);
  if (lane == 0) partial[warp] = value;
  __syncthreads();
  value = lane < static_cast<int>(blockDim.x) / kWarp ? partial[lane] : neutral;
  return reduce_warp(value, combine);
}
// The same behind any reduction.
template <typename Combine>
__device__ float reduce_block(float value, float neutral, const Combine& combine) {
  __shared__ float partial[kWarp];
  __syncthreads();  // a reduction before this one may still be read
  return reduce_block(value, neutral, partial, combine);
}

// The largest of numbers that are not negative: their bits are in the same order as they are.
__device__ inline float max_magnitude_warp(float value) {
  return __uint_as_float(__reduce_max_sync(0xFFFFFFFFu, __float_as_uint(value)));
}
// The same in every thread of a block, like reduce_block().
__device__ inline float max_magnitude_block(float value, float* partial) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  value = max_magnitude_warp(value);
  if (lane == 0) partial[warp] = value;
  __syncthreads();
  return max_magnitude_warp(lane < static_cast<int>(blockDim.x) / kWarp ? partial[lane] : 0.0f);
}

__device__ inline float sum_block(float value, float* partial) {
  return reduce_block(value, 0.0f, partial, [](float a, float b) { return a + b; });
}
__device__ inline float sum_block(float value) {
  return reduce_block(value, 0.0f, [](float a, float b) { return a + b; });
}
__device__ inline float max_block(float value) {
  return reduce_block(value, -INFINITY, [](float a, float b) { return fmaxf(a, b); });
}

}  // namespace glyph::ops::cuda
