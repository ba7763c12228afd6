// e4m3 and rows of it, as kernels write and read them.
#pragma once

#include "ops/cuda/elements.cuh"
#include "ops/cuda/reduce.cuh"
#include "ops/quantise.h"

namespace glyph::ops::cuda {

// What a row with this largest magnitude is multiplied by to become e4m3; one of its threads writes its scale.
__device__ inline float begin_e4m3_row(float largest, float* scale, bool writes = threadIdx.x == 0) {
  if (writes) *scale = largest / kLargestE4M3;
  return largest == 0 ? 0.0f : kLargestE4M3 / largest;
}

// Products of two pairs of bf16.
__device__ inline uint32_t multiply_pair(uint32_t pair, uint32_t factor) {
  const __nv_bfloat162 product =
      __hmul2(*reinterpret_cast<const __nv_bfloat162*>(&pair), *reinterpret_cast<const __nv_bfloat162*>(&factor));
  return *reinterpret_cast<const uint32_t*>(&product);
}

// Four elements as pairs of bf16, which are exact: 0 and 2, 1 and 3. Exponent and mantissa are moved to where bf16 has them; 2^120 makes up
// for the difference of the exponents' biases, for subnormals too.
__device__ inline void widen_e4m3(uint32_t word, uint32_t (&pairs)[2]) {
  constexpr uint32_t kBias = 0x7B807B80u;  // 2^120, twice
  const uint32_t even = word << 8;
  pairs[0] = multiply_pair((even & 0x80008000u) | (even >> 4 & 0x07F007F0u), kBias);
  pairs[1] = multiply_pair((word & 0x80008000u) | (word >> 4 & 0x07F007F0u), kBias);
}

template <int kCount>
__device__ float largest_magnitude(const float (&value)[kCount]) {
  float largest = 0;
#pragma unroll
  for (int i = 0; i < kCount; ++i) largest = fmaxf(largest, fabsf(value[i]));
  return largest;
}

}  // namespace glyph::ops::cuda
