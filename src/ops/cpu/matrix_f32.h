// The f32 matrix kernel over the vectors of simd.h: a block of rows times a panel, all of it in registers.
#pragma once

#include "ops/cpu/kernels.h"
#include "ops/cpu/simd.h"
#include "ops/cpu/transpose.h"

namespace {

namespace f32_matrix {

using glyph::ops::cpu::PackSource;

#if defined(__AVX512F__)
constexpr int kColumnVectors = 4;  // 6 * 4 sums, 4 panel vectors and 1 broadcast in 32 registers
#else
constexpr int kColumnVectors = 2;  // 6 * 2 sums, 2 panel vectors and 1 broadcast in 16 registers
#endif
constexpr int kRows = 6;
constexpr int kColumns = kColumnVectors * kLanes;

// Depth indices [begin, depth) of one row.
template <typename T>
void pack_row(const T* row, int64_t begin, int64_t depth, float* column) {
  for (int64_t k = begin; k < depth; k += kLanes) {
    const int64_t left = depth - k;
    float lanes[kLanes];
    store(lanes, left >= kLanes ? load(row + k) : load_some(row + k, left));
    for (int64_t j = 0; j < kLanes && j < left; ++j) column[(k + j) * kColumns] = lanes[j];
  }
}

template <typename T>
void pack_rows(const T* weights, const PackSource& source, int first, float* panel) {
  int64_t i = 0;
#if defined(__AVX512F__)
  for (; i + kLanes <= source.count; i += kLanes) {
    int64_t k = 0;
    for (; k + kLanes <= source.depth; k += kLanes) {
      __m512i block[kLanes];
      for (int64_t j = 0; j < kLanes; ++j) block[j] = (__m512i)load(weights + (i + j) * source.stride + k);
      transpose_16x16(block);
      for (int64_t j = 0; j < kLanes; ++j)
        _mm512_storeu_si512(panel + (k + j) * kColumns + first + i, block[j]);
    }
    for (int64_t j = i; j < i + kLanes; ++j)
      pack_row(weights + j * source.stride, k, source.depth, panel + first + j);
  }
#endif
  for (; i < source.count; ++i) pack_row(weights + i * source.stride, 0, source.depth, panel + first + i);
}

void pack(const PackSource& source, int first, void* to) {
  auto* panel = static_cast<float*>(to);
  switch (source.dtype) {
    case glyph::DType::kF16:
      pack_rows(static_cast<const glyph::F16*>(source.data), source, first, panel);
      break;
    case glyph::DType::kBF16:
      pack_rows(static_cast<const glyph::BF16*>(source.data), source, first, panel);
      break;
    default:
      pack_rows(static_cast<const float*>(source.data), source, first, panel);
      break;
  }
  const int64_t used = first + source.count;
  for (int64_t k = 0; k < source.depth; ++k) {
    for (int64_t i = used; i < kColumns; ++i) panel[k * kColumns + i] = 0;
  }
}

void pack_transposed(const PackSource& source, void* to) {
  auto* panel = static_cast<float*>(to);
  for (int64_t k = 0; k < source.count; ++k) {
    if (source.dtype == glyph::DType::kBF16) {
      const auto* row = static_cast<const glyph::BF16*>(source.data) + k * source.stride;
      for (int64_t i = 0; i < source.depth; ++i) panel[k * kColumns + i] = read(row + i);
    } else {
      const auto* row = static_cast<const float*>(source.data) + k * source.stride;
      for (int64_t i = 0; i < source.depth; ++i) panel[k * kColumns + i] = row[i];
    }
    for (int64_t i = source.depth; i < kColumns; ++i) panel[k * kColumns + i] = 0;
  }
}

template <int kNumRows>
void multiply_rows(const float* x, int64_t x_stride, int64_t depth, const float* panel, float* c,
                   int64_t c_stride) {
  Floats sums[kNumRows][kColumnVectors] = {};
  for (int64_t k = 0; k < depth; ++k, panel += kColumns) {
    Floats b[kColumnVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kColumnVectors; ++j) b[j] = load(panel + j * kLanes);
#pragma GCC unroll 6
    for (int r = 0; r < kNumRows; ++r) {
      const Floats a = splat(x[r * x_stride + k]);
#pragma GCC unroll 4
      for (int j = 0; j < kColumnVectors; ++j) sums[r][j] += a * b[j];
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kNumRows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kColumnVectors; ++j) store(c + r * c_stride + j * kLanes, sums[r][j]);
  }
}

void multiply(const void* x_any, int64_t x_stride, int num_rows, int64_t depth, const void* panel_any,
              float* c, int64_t c_stride) {
  const auto* x = static_cast<const float*>(x_any);
  const auto* panel = static_cast<const float*>(panel_any);
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

}  // namespace f32_matrix

const glyph::ops::cpu::MatrixKernel kF32Matrix = {
    .type = glyph::DType::kF32,
    .rows = f32_matrix::kRows,
    .columns = f32_matrix::kColumns,
    .depth_step = 1,
    .pack = f32_matrix::pack,
    .pack_transposed = f32_matrix::pack_transposed,
    .multiply = f32_matrix::multiply,
    .end = nullptr,
};

}  // namespace
