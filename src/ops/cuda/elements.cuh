// Elements of tensors as kernels read and write them: f32, bf16, f16 or e4m3 (without its scale) in memory, float in registers.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>

#include "base/check.h"
#include "tensor/tensor.h"

namespace glyph::ops::cuda {

__device__ inline float to_f32(float value) { return value; }
__device__ inline float to_f32(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ inline float to_f32(__half value) { return __half2float(value); }
__device__ inline float to_f32(E4M3 value) {
  return __half2float(__half(__nv_cvt_fp8_to_halfraw(value.bits, __NV_E4M3)));
}

__device__ inline void put(float* to, float value) { *to = value; }
__device__ inline void put(__nv_bfloat16* to, float value) { *to = __float2bfloat16_rn(value); }
__device__ inline void put(__half* to, float value) { *to = __float2half_rn(value); }
// Beyond the range: +-448. NaN stays NaN.
__device__ inline void put(E4M3* to, float value) {
  to->bits = static_cast<uint8_t>(__nv_cvt_float_to_fp8(value, __NV_SATFINITE, __NV_E4M3));
}

__device__ inline float silu(float x) { return x / (1.0f + expf(-x)); }

// kCount neighbouring elements, read or written with as few instructions as their alignment allows.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T value[kCount];
};

template <typename T, int kCount>
__device__ void load(const T* from, float (&to)[kCount]) {
  const auto pack = *reinterpret_cast<const Pack<T, kCount>*>(from);
#pragma unroll
  for (int i = 0; i < kCount; ++i) to[i] = to_f32(pack.value[i]);
}

template <typename T, int kCount>
__device__ void store(const float (&from)[kCount], T* to) {
  Pack<T, kCount> pack;
#pragma unroll
  for (int i = 0; i < kCount; ++i) put(&pack.value[i], from[i]);
  *reinterpret_cast<Pack<T, kCount>*>(to) = pack;
}

// A matrix with dense rows, `stride` elements apart.
template <typename T>
struct Matrix {
  T* data;
  int64_t stride;

  __device__ T* row(int64_t i) const { return data + i * stride; }
};

template <typename T>
Matrix<T> matrix_of(const TensorView& view) {
  return {static_cast<T*>(view.raw()), view.stride(0)};
}
template <typename T>
Matrix<const T> matrix_of(const ConstTensorView& view) {
  return {static_cast<const T*>(view.raw()), view.stride(0)};
}

// Whether `count` elements can be read at once from every `count`-th element of every row.
template <typename View>
bool packs(const View& view, int64_t count) {
  const auto bytes = static_cast<uintptr_t>(count) * size_of(view.dtype());
  const bool rows = view.rank() < 2 || view.size(0) < 2 || view.stride(0) % count == 0;
  return reinterpret_cast<uintptr_t>(view.raw()) % bytes == 0 && rows && view.size(view.rank() - 1) % count == 0;
}

// use(float{}), use(__half{}) or use(__nv_bfloat16{}), by the type of elements.
template <typename Use>
void with_type(DType type, const Use& use) {
  if (type == DType::kBF16) {
    use(__nv_bfloat16{});
  } else if (type == DType::kF16) {
    use(__half{});
  } else {
    GLYPH_CHECK(type == DType::kF32);
    use(float{});
  }
}

}  // namespace glyph::ops::cuda
