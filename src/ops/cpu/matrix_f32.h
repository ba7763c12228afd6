// The f32 matrix kernel over the vectors of simd.h: a block of rows times a panel, all of it in registers.
#pragma once

#include "ops/cpu/kernels.h"
#include "ops/cpu/simd.h"

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

template <typename T>
void pack_rows(const T* weights, const PackSource& source, int first, float* panel) {
  for (int64_t i = 0; i < source.count; ++i) {
    const T* row = weights + i * source.stride;
    float* column = panel + first + i;
    int64_t k = 0;
    for (; k + kLanes <= source.depth; k += kLanes) {
      float lanes[kLanes];
      store(lanes, load(row + k));
      for (int j = 0; j < kLanes; ++j) column[(k + j) * kColumns] = lanes[j];
    }
    if (k < source.depth) {
      float lanes[kLanes];
      store(lanes, load_some(row + k, source.depth - k));
      for (int64_t j = 0; k + j < source.depth; ++j) column[(k + j) * kColumns] = lanes[j];
    }
  }
}

void pack(const PackSource& source, int first, void* to) {
  auto* panel = static_cast<float*>(to);
  switch (source.dtype) {
    case glyph::DType::kF16: pack_rows(static_cast<const glyph::F16*>(source.data), source, first, panel); break;
    case glyph::DType::kBF16: pack_rows(static_cast<const glyph::BF16*>(source.data), source, first, panel); break;
    default: pack_rows(static_cast<const float*>(source.data), source, first, panel); break;
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
void multiply_rows(const float* x, int64_t x_stride, int64_t depth, const float* panel, float* c, int64_t c_stride) {
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

void multiply(const void* x_any, int64_t x_stride, int num_rows, int64_t depth, const void* panel_any, float* c,
              int64_t c_stride) {
  const auto* x = static_cast<const float*>(x_any);
  const auto* panel = static_cast<const float*>(panel_any);
  switch (num_rows) {
    case 1: return multiply_rows<1>(x, x_stride, depth, panel, c, c_stride);
    case 2: return multiply_rows<2>(x, x_stride, depth, panel, c, c_stride);
    case 3: return multiply_rows<3>(x, x_stride, depth, panel, c, c_stride);
    case 4: return multiply_rows<4>(x, x_stride, depth, panel, c, c_stride);
    case 5: return multiply_rows<5>(x, x_stride, depth, panel, c, c_stride);
    default: return multiply_rows<6>(x, x_stride, depth, panel, c, c_stride);
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
