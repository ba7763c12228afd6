// Elements of tensors as kernels read and write them: f32, bf16, f16 or e4m3 (without its scale) in memory, float in registers.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>
#include <type_traits>

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

// silu() of several numbers, the same bits. A division has a branch for divisors and quotients near the ends of the range, which keeps
// one number waiting for the other; where all of them are far from there, what that branch leaves out is all there is to do.
template <int kCount>
__device__ void silu(float (&x)[kCount]) {
  constexpr float kFar = 64;
  bool far = false;
#pragma unroll
  for (int i = 0; i < kCount; ++i) far |= fabsf(x[i]) > kFar;
  if (far) {
#pragma unroll
    for (int i = 0; i < kCount; ++i) x[i] = silu(x[i]);
    return;
  }
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    const float divisor = 1.0f + expf(-x[i]);
    float inverse;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(divisor));
    inverse = __fmaf_rn(inverse, __fmaf_rn(-divisor, inverse, 1.0f), inverse);
    const float quotient = __fmul_rn(x[i], inverse);
    x[i] = __fmaf_rn(-inverse, __fmaf_rn(divisor, quotient, -x[i]), quotient);  // in signs that keep that of a zero
  }
}

// kCount neighbouring elements, read or written with as few instructions as their alignment allows.
template <typename T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T value[kCount];
};

template <typename T, int kCount>
__device__ void load(const T* from, float (&to)[kCount]) {
  if constexpr (std::is_same_v<T, __nv_bfloat16> && kCount % 2 == 0) {  // an instruction an element
    const auto pairs = *reinterpret_cast<const Pack<uint32_t, kCount / 2>*>(from);
#pragma unroll
    for (int i = 0; i < kCount / 2; ++i) {
      to[2 * i] = __uint_as_float(pairs.value[i] << 16);
      to[2 * i + 1] = __uint_as_float(pairs.value[i] & 0xFFFF0000u);
    }
  } else {
    const auto pack = *reinterpret_cast<const Pack<T, kCount>*>(from);
#pragma unroll
    for (int i = 0; i < kCount; ++i) to[i] = to_f32(pack.value[i]);
  }
}

// To global memory. Left to itself the compiler stores some of the words one by one.
template <int kWords>
__device__ void store_words(const uint32_t (&words)[kWords], void* to) {
  if constexpr (kWords % 4 == 0) {
#pragma unroll
    for (int i = 0; i < kWords / 4; ++i) {
      asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(static_cast<uint4*>(to) + i), "r"(words[4 * i]),
                   "r"(words[4 * i + 1]), "r"(words[4 * i + 2]), "r"(words[4 * i + 3])
                   : "memory");
    }
  } else if constexpr (kWords == 2) {
    asm volatile("st.global.v2.b32 [%0], {%1, %2};" ::"l"(to), "r"(words[0]), "r"(words[1]) : "memory");
  } else {
    static_assert(kWords == 1);
    *static_cast<uint32_t*>(to) = words[0];
  }
}

// Neighbours that fill a word, each as put() makes it.
__device__ inline uint32_t word_of(const __nv_bfloat16*, const float* from) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(from[0], from[1]);
  return *reinterpret_cast<const uint32_t*>(&pair);
}
__device__ inline uint32_t word_of(const __half*, const float* from) {
  const __half2 pair = __floats2half2_rn(from[0], from[1]);
  return *reinterpret_cast<const uint32_t*>(&pair);
}
__device__ inline uint32_t word_of(const E4M3*, const float* from) {
  const uint32_t low = __nv_cvt_float2_to_fp8x2(make_float2(from[0], from[1]), __NV_SATFINITE, __NV_E4M3);
  return low | static_cast<uint32_t>(__nv_cvt_float2_to_fp8x2(make_float2(from[2], from[3]), __NV_SATFINITE, __NV_E4M3)) << 16;
}

template <typename T, int kCount>
__device__ void store(const float (&from)[kCount], T* to) {
  constexpr int kOfWord = 4 / sizeof(T);
  if constexpr (kOfWord > 1 && kCount % kOfWord == 0) {
    uint32_t words[kCount / kOfWord];
#pragma unroll
    for (int i = 0; i < kCount / kOfWord; ++i) words[i] = word_of(to, from + i * kOfWord);
    store_words(words, to);
  } else {
    Pack<T, kCount> pack;
#pragma unroll
    for (int i = 0; i < kCount; ++i) put(&pack.value[i], from[i]);
    *reinterpret_cast<Pack<T, kCount>*>(to) = pack;
  }
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
