// Panels of bf16 pairs: (depth / 2, columns, 2), the order that both AVX512_BF16 and AMX multiply from.
#pragma once

#include "ops/cpu/kernels.h"
#include "ops/cpu/simd.h"
#include "ops/cpu/transpose.h"

namespace {

namespace bf16_panel {

using glyph::BF16;
using glyph::ops::cpu::PackSource;

// Up to 16 weight rows, which must be bf16, into panel columns [first, first + 16); `columns` is the panel's
// width.
inline void pack_16(const BF16* weights, int64_t stride, int64_t count, int64_t depth, int64_t first,
                    int64_t columns, int64_t padded_depth, BF16* panel) {
  for (int64_t k = 0; k < padded_depth; k += 32) {
    const int64_t left = depth - k;
    const __mmask32 mask = left >= 32 ? 0xFFFFFFFFu : left <= 0 ? 0u : (1u << left) - 1u;
    __m512i v[16];
    for (int64_t i = 0; i < 16; ++i) {
      v[i] = i < count ? _mm512_maskz_loadu_epi16(mask, weights + i * stride + k) : _mm512_setzero_si512();
    }
    transpose_16x16(v);
    const int64_t num_pairs = padded_depth - k < 32 ? (padded_depth - k) / 2 : 16;
    for (int64_t i = 0; i < num_pairs; ++i)
      _mm512_storeu_si512(panel + ((k / 2 + i) * columns + first) * 2, v[i]);
  }
}

// Any run of weight rows: whole groups of 16, padded with zero columns to the panel's end.
inline void pack_columns(const PackSource& source, int64_t first, int64_t columns, int64_t padded_depth,
                         BF16* panel) {
  const auto* weights = static_cast<const BF16*>(source.data);
  for (int64_t i = 0; first + i < columns; i += 16) {
    const int64_t count = source.count - i < 16 ? source.count - i : 16;
    pack_16(weights + i * source.stride, source.stride, count < 0 ? 0 : count, source.depth, first + i,
            columns, padded_depth, panel);
  }
}

// Rows of the source are depth indices: two neighbours interleave.
inline void pack_row_pairs(const PackSource& source, int64_t columns, int64_t padded_depth, BF16* panel) {
  const auto* rows = static_cast<const BF16*>(source.data);
  for (int64_t k = 0; k < padded_depth; k += 2) {
    for (int64_t i = 0; i < columns; i += 16) {
      const int64_t left = source.depth - i;
      const __mmask16 mask = left >= 16 ? 0xFFFFu : left <= 0 ? 0u : (1u << left) - 1u;
      const __mmask16 even = k < source.count ? mask : 0, odd = k + 1 < source.count ? mask : 0;
      const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(even, rows + k * source.stride + i));
      const __m512i high =
          _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(odd, rows + (k + 1) * source.stride + i));
      _mm512_storeu_si512(panel + (k / 2 * columns + i) * 2,
                          _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
  }
}

}  // namespace bf16_panel

}  // namespace
