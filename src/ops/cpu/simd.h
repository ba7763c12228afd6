// Vectors of the instruction set this file is compiled for. Included only by the kernel files of ops/cpu,
// each of which is compiled with its own flags; everything here has internal linkage, and no standard header
// with inline functions is included, so that no function compiled for a newer machine can be linked into the
// rest of the program.
#pragma once

#include <stdint.h>

#include "tensor/dtype.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Floats __attribute__((vector_size(4 * kLanes)));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes)));
typedef uint32_t Words __attribute__((vector_size(4 * kLanes)));
typedef uint16_t Halves __attribute__((vector_size(2 * kLanes)));

#if defined(__AVX512F__)
inline Floats splat(float value) { return (Floats)_mm512_set1_ps(value); }
#elif defined(__AVX2__)
inline Floats splat(float value) { return (Floats)_mm256_set1_ps(value); }
#else
inline Floats splat(float value) { return Floats{value, value, value, value}; }
#endif

inline Floats load(const float* from) {
  Floats value;
  __builtin_memcpy(&value, from, sizeof(value));
  return value;
}
inline void store(float* to, Floats value) { __builtin_memcpy(to, &value, sizeof(value)); }

inline Floats load(const glyph::BF16* from) {
  Halves bits;
  __builtin_memcpy(&bits, from, sizeof(bits));
  return (Floats)(__builtin_convertvector(bits, Words) << 16);
}

// Nearest, ties to even; a NaN stays one because the rounding never carries out of a quiet NaN's exponent.
inline void store(glyph::BF16* to, Floats value) {
#if defined(__AVX512BF16__)
  const __m256bh halves = _mm512_cvtneps_pbh((__m512)value);
  __builtin_memcpy(to, &halves, sizeof(halves));
#else
  const Words bits = (Words)value;
  const Halves halves = __builtin_convertvector((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16, Halves);
  __builtin_memcpy(to, &halves, sizeof(halves));
#endif
}

#if defined(__AVX512F__)
inline Floats load(const glyph::F16* from) {
  return (Floats)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
#elif defined(__F16C__)
inline Floats load(const glyph::F16* from) {
  return (Floats)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
#else
// Exponent and mantissa move into place, and a product with 2^112 corrects the bias, subnormals included;
// infinities and NaNs do not occur in weights that make sense and become large numbers.
inline Floats load(const glyph::F16* from) {
  Halves bits;
  __builtin_memcpy(&bits, from, sizeof(bits));
  const Words wide = __builtin_convertvector(bits, Words);
  const Floats magnitude = (Floats)((wide & 0x7FFFu) << 13) * splat(0x1p112f);
  return (Floats)((Words)magnitude | ((wide & 0x8000u) << 16));
}
#endif

// The first `count` < kLanes elements, the rest zero.
template <typename T>
inline Floats load_some(const T* from, int64_t count) {
  T padded[kLanes] = {};
  __builtin_memcpy(padded, from, static_cast<size_t>(count) * sizeof(T));
  return load(padded);
}
template <typename T>
inline void store_some(T* to, Floats value, int64_t count) {
  T padded[kLanes];
  store(padded, value);
  __builtin_memcpy(to, padded, static_cast<size_t>(count) * sizeof(T));
}

// One element, without the inline functions of dtype.h.
inline float read(const float* from) { return *from; }
inline float read(const glyph::BF16* from) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(from->bits) << 16);
}
inline void write(float* to, float value) { *to = value; }
inline void write(glyph::BF16* to, float value) { store_some(to, splat(value), 1); }

inline Floats max(Floats a, Floats b) { return a > b ? a : b; }
inline Floats min(Floats a, Floats b) { return a < b ? a : b; }

inline float sum(Floats value) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)value);
#else
  float lanes[kLanes];
  store(lanes, value);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int i = 0; i < width; ++i) lanes[i] += lanes[i + width];
  }
  return lanes[0];
#endif
}
inline float max_lane(Floats value) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps((__m512)value);
#else
  float lanes[kLanes];
  store(lanes, value);
  for (int i = 1; i < kLanes; ++i) lanes[0] = lanes[i] > lanes[0] ? lanes[i] : lanes[0];
  return lanes[0];
#endif
}

// 2^x for x <= 127; x below -126 gives 0. Relative error 1e-7 (a minimax polynomial of degree 6 on [-0.5,
// 0.5]).
inline Floats exp2(Floats x) {
  x = max(x, splat(-150.0f));
  const Floats magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const Floats rounded = x + magic;
  const Floats fraction = x - (rounded - magic);
  Floats p = splat(1.32647272e-3f);
  p = p * fraction + 9.67151264e-3f;
  p = p * fraction + 5.55073374e-2f;
  p = p * fraction + 2.40222421e-1f;
  p = p * fraction + 6.93146978e-1f;
  p = p * fraction + 1.0f;
#if defined(__AVX512F__)
  return (Floats)_mm512_scalef_ps((__m512)p, (__m512)(rounded - magic));
#else
  const Ints exponent = (Ints)rounded - (Ints)magic;
  const Floats scaled = (Floats)((Ints)p + (exponent << 23));
  return exponent < -126 ? Floats{} : scaled;
#endif
}

// 2^x for finite x <= 127 with relative error 1e-4, for what is rounded to bf16 next.
inline Floats exp2_rough(Floats x) {
#if defined(__AVX512F__)
  const __m512 whole = _mm512_roundscale_ps((__m512)x, 0);
  const Floats fraction = x - (Floats)whole;
  Floats p = splat(0.05517167f);
  p = p * fraction + 0.24261113f;
  p = p * fraction + 0.69326097f;
  p = p * fraction + 0.99992806f;
  return (Floats)_mm512_scalef_ps((__m512)p, whole);
#else
  return exp2(x);
#endif
}

constexpr float kLog2E = 1.44269504088896341f;

inline Floats sigmoid(Floats x) { return 1.0f / (1.0f + exp2(min(x * -kLog2E, splat(126.0f)))); }
inline Floats silu(Floats x) { return x * sigmoid(x); }

// x * Phi(x), Phi by Abramowitz and Stegun 7.1.26 (absolute error of erf 1.5e-7).
inline Floats gelu(Floats x) {
  const Floats z = x * 0.70710678118654752f;
  const Floats magnitude = max(z, -z);
  const Floats t = 1.0f / (1.0f + 0.3275911f * magnitude);
  Floats p = splat(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const Floats erf = 1.0f - p * t * exp2(max(z * z * -kLog2E, splat(-126.0f)));
  return 0.5f * x * (1.0f + (z < 0.0f ? -erf : erf));
}

}  // namespace
