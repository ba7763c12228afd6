#include "ops/cpu/bf16_pack.h"
#include "ops/cpu/kernel_table.h"

namespace {

namespace bf16_matrix {

using glyph::BF16;
using glyph::ops::cpu::PackSource;

constexpr int kColumnVectors = 4;
constexpr int kRows = 6;
constexpr int kColumns = kColumnVectors * 16;
constexpr int kDepthStep = 2;

int64_t padded(int64_t depth) { return (depth + kDepthStep - 1) / kDepthStep * kDepthStep; }

void pack(const PackSource& source, int first, void* panel) {
  bf16_panel::pack_columns(source, first, kColumns, padded(source.depth), static_cast<BF16*>(panel));
}

void pack_transposed(const PackSource& source, void* panel) {
  bf16_panel::pack_row_pairs(source, kColumns, padded(source.count), static_cast<BF16*>(panel));
}

// Two neighbours of a row in every lane; the second is zero behind the last element of an odd row.
inline __m512bh splat_pair(const BF16* from) {
  uint32_t pair;
  __builtin_memcpy(&pair, from, sizeof(pair));
  return (__m512bh)_mm512_set1_epi32(static_cast<int>(pair));
}
inline __m512bh splat_single(const BF16* from) { return (__m512bh)_mm512_set1_epi32(from->bits); }

template <int kNumRows, typename Splat>
inline void step(const BF16* x, int64_t x_stride, const BF16* panel, const Splat& splat_x,
                 __m512 (&sums)[kNumRows][kColumnVectors]) {
  __m512bh b[kColumnVectors];
#pragma GCC unroll 4
  for (int j = 0; j < kColumnVectors; ++j) b[j] = (__m512bh)_mm512_loadu_si512(panel + j * 32);
#pragma GCC unroll 6
  for (int r = 0; r < kNumRows; ++r) {
    const __m512bh a = splat_x(x + r * x_stride);
#pragma GCC unroll 4
    for (int j = 0; j < kColumnVectors; ++j) sums[r][j] = _mm512_dpbf16_ps(sums[r][j], a, b[j]);
  }
}

template <int kNumRows>
void multiply_rows(const BF16* x, int64_t x_stride, int64_t depth, const BF16* panel, float* c,
                   int64_t c_stride) {
  __m512 sums[kNumRows][kColumnVectors] = {};
  int64_t k = 0;
  for (; k + 2 <= depth; k += 2)
    step(
        x + k, x_stride, panel + k * kColumns, [](const BF16* from) { return splat_pair(from); }, sums);
  if (k < depth)
    step(
        x + k, x_stride, panel + k * kColumns, [](const BF16* from) { return splat_single(from); }, sums);
#pragma GCC unroll 6
  for (int r = 0; r < kNumRows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kColumnVectors; ++j) _mm512_storeu_ps(c + r * c_stride + j * 16, sums[r][j]);
  }
}

void multiply(const void* x_any, int64_t x_stride, int num_rows, int64_t depth, const void* panel_any,
              float* c, int64_t c_stride) {
  const auto* x = static_cast<const BF16*>(x_any);
  const auto* panel = static_cast<const BF16*>(panel_any);
  switch (num_rows) {
    case 1:
      return multiply_rows<1>(x, x_stride, depth, panel, c, c_stride);
    case 2:
      return multiply_rows<2>(x, x_stride, depth, panel, c, c_stride);
    case 3:
      return multiply_rows<3>(x, x_stride, depth, panel, c, c_stride);
    case 4:
      return multiply_rows<4>(x, x_stride, depth, panel, c, c_stride);
    case 5:
      return multiply_rows<5>(x, x_stride, depth, panel, c, c_stride);
    default:
      return multiply_rows<6>(x, x_stride, depth, panel, c, c_stride);
  }
}

}  // namespace bf16_matrix

constexpr glyph::ops::cpu::MatrixKernel kBf16Matrix = {
    .type = glyph::DType::kBF16,
    .rows = bf16_matrix::kRows,
    .columns = bf16_matrix::kColumns,
    .depth_step = bf16_matrix::kDepthStep,
    .pack = bf16_matrix::pack,
    .pack_transposed = bf16_matrix::pack_transposed,
    .multiply = bf16_matrix::multiply,
    .end = nullptr,
};

}  // namespace

namespace glyph::ops::cpu {

const Kernels* avx512bf16_kernels() {
  static constexpr Kernels kernels = make_kernels(&kBf16Matrix);
  return &kernels;
}

}  // namespace glyph::ops::cpu
