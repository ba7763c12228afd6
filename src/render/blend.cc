#include "render/blend.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace glyph {

void blend_black_plain(uint8_t* to, size_t to_stride, const uint8_t* keep, int rows, int stride) {
  for (int y = 0; y < rows; ++y, to += to_stride, keep += stride) {
    for (int x = 0; x < stride; ++x) {
      const uint32_t product = static_cast<uint32_t>(to[x]) * keep[x];
      to[x] = static_cast<uint8_t>((product + 1 + (product >> 8)) >> 8);
    }
  }
}

#if defined(__x86_64__)

namespace {

// floor(x / 255) of 16-bit numbers: (x * 0x8081) >> 23.
inline __m128i divide_by_255(__m128i x) {
  return _mm_srli_epi16(_mm_mulhi_epu16(x, _mm_set1_epi16(static_cast<short>(0x8081))), 7);
}

void blend_black_sse2(uint8_t* to, size_t to_stride, const uint8_t* keep, int rows, int stride) {
  const __m128i zero = _mm_setzero_si128();
  for (int y = 0; y < rows; ++y, to += to_stride) {
    for (int x = 0; x < stride; x += 8, keep += 8) {
      __m128i* pixels = reinterpret_cast<__m128i*>(to + x);
      const __m128i below = _mm_unpacklo_epi8(_mm_loadl_epi64(pixels), zero);
      const __m128i factor = _mm_unpacklo_epi8(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(keep)), zero);
      const __m128i product = _mm_mullo_epi16(below, factor);
      _mm_storel_epi64(pixels, _mm_packus_epi16(divide_by_255(product), zero));
    }
  }
}

__attribute__((target("avx2"))) inline __m256i blend_16(__m128i pixels, const uint8_t* keep) {
  const __m256i factor = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(keep)));
  const __m256i product = _mm256_mullo_epi16(_mm256_cvtepu8_epi16(pixels), factor);
  return _mm256_srli_epi16(_mm256_mulhi_epu16(product, _mm256_set1_epi16(static_cast<short>(0x8081))), 7);
}

// 16 pixels at a time: of one row, or of two rows where a glyph is 8 wide.
__attribute__((target("avx2"))) void blend_black_avx2(uint8_t* to, size_t to_stride, const uint8_t* keep, int rows,
                                                      int stride) {
  if (stride == 8) {
    int y = 0;
    for (; y + 2 <= rows; y += 2, to += 2 * to_stride, keep += 16) {
      __m128i* first = reinterpret_cast<__m128i*>(to);
      __m128i* second = reinterpret_cast<__m128i*>(to + to_stride);
      const __m256i blended = blend_16(_mm_unpacklo_epi64(_mm_loadl_epi64(first), _mm_loadl_epi64(second)), keep);
      const __m128i packed = _mm_packus_epi16(_mm256_castsi256_si128(blended), _mm256_extracti128_si256(blended, 1));
      _mm_storel_epi64(first, packed);
      _mm_storel_epi64(second, _mm_unpackhi_epi64(packed, packed));
    }
    if (y < rows) blend_black_sse2(to, to_stride, keep, 1, 8);
    return;
  }
  for (int y = 0; y < rows; ++y, to += to_stride) {
    int x = 0;
    for (; x + 16 <= stride; x += 16, keep += 16) {
      __m128i* pixels = reinterpret_cast<__m128i*>(to + x);
      const __m256i blended = blend_16(_mm_loadu_si128(pixels), keep);
      _mm_storeu_si128(pixels, _mm_packus_epi16(_mm256_castsi256_si128(blended), _mm256_extracti128_si256(blended, 1)));
    }
    if (x < stride) {
      blend_black_sse2(to + x, 0, keep, 1, 8);
      keep += 8;
    }
  }
}

}  // namespace

BlendBlack pick_blend_black() { return __builtin_cpu_supports("avx2") ? blend_black_avx2 : blend_black_sse2; }

#else

BlendBlack pick_blend_black() { return blend_black_plain; }

#endif

}  // namespace glyph
