// The turn of a pair of elements.
#pragma once

#include <cuda_runtime.h>

namespace glyph::ops::cuda {

// Products and sums are spelled out, so that all kernels give the same bits.
__device__ inline void turn(float& first, float& second, float cos, float sin) {
  const float a = first, b = second;
  first = __fmaf_rn(a, cos, -__fmul_rn(b, sin));
  second = __fmaf_rn(a, sin, __fmul_rn(b, cos));
}

}  // namespace glyph::ops::cuda
