// e4m3 and rows of it, as kernels write them.
#pragma once

#include "ops/cuda/elements.cuh"
#include "ops/cuda/reduce.cuh"

namespace glyph::ops::cuda {

constexpr float kLargestE4M3 = 448.0f;

// What a row with this largest magnitude is multiplied by to become e4m3; its scale goes to `scale`, once a block.
__device__ inline float begin_e4m3_row(float largest, float* scale) {
  if (threadIdx.x == 0) *scale = largest / kLargestE4M3;
  return largest == 0 ? 0.0f : kLargestE4M3 / largest;
}

template <int kCount>
__device__ float largest_magnitude(const float (&value)[kCount]) {
  float largest = 0;
#pragma unroll
  for (int i = 0; i < kCount; ++i) largest = fmaxf(largest, fabsf(value[i]));
  return largest;
}

}  // namespace glyph::ops::cuda
