// One to eight rows of x times a weight matrix that is read once, where it lies: bound by memory, not by
// arithmetic.
#pragma once

#include "ops/cpu/kernels.h"
#include "ops/cpu/simd.h"
#include "ops/cpu/vector_kernels.h"

namespace {

namespace dots {

using glyph::ops::cpu::PackSource;

constexpr int kBlocksAhead =
    2;  // rows are short and their order is known: fetch those of the block after next

// kNumX rows of x times kNumW rows of weights.
template <int kNumX, int kNumW, typename T>
void dot_block(const float* x, int64_t x_stride, const T* weights, int64_t stride, int64_t depth, float* y,
               int64_t y_stride) {
  Floats sums[kNumX][kNumW] = {};
  int64_t k = 0;
  for (; k + kLanes <= depth; k += kLanes) {
    Floats w[kNumW];
#pragma GCC unroll 4
    for (int i = 0; i < kNumW; ++i) {
      w[i] = load(weights + i * stride + k);
      __builtin_prefetch(weights + (i + kNumW * kBlocksAhead) * stride + k);
    }
#pragma GCC unroll 8
    for (int r = 0; r < kNumX; ++r) {
      const Floats value = load(x + r * x_stride + k);
#pragma GCC unroll 4
      for (int i = 0; i < kNumW; ++i) sums[r][i] += value * w[i];
    }
  }
  if (k < depth) {
    const int left = static_cast<int>(depth - k);
    for (int i = 0; i < kNumW; ++i) {
      const Floats w = load_some(weights + i * stride + k, left);
      for (int r = 0; r < kNumX; ++r) sums[r][i] += load_some(x + r * x_stride + k, left) * w;
    }
  }
  for (int r = 0; r < kNumX; ++r) {
    for (int i = 0; i < kNumW; ++i) y[r * y_stride + i] = sum(sums[r][i]);
  }
}

template <int kNumX, typename T>
void dot_all(const float* x, int64_t x_stride, const PackSource& source, float* y, int64_t y_stride) {
  constexpr int kNumW = kNumX > 4 ? 2 : 4;
  const auto* weights = static_cast<const T*>(source.data);
  int64_t i = 0;
  for (; i + kNumW <= source.count; i += kNumW) {
    dot_block<kNumX, kNumW>(x, x_stride, weights + i * source.stride, source.stride, source.depth, y + i,
                            y_stride);
  }
  for (; i < source.count; ++i) {
    dot_block<kNumX, 1>(x, x_stride, weights + i * source.stride, source.stride, source.depth, y + i,
                        y_stride);
  }
}

template <typename T>
void dot_rows_of(const float* x, int64_t x_stride, int num_x, const PackSource& source, float* y,
                 int64_t y_stride) {
  switch (num_x) {
    case 1:
      return dot_all<1, T>(x, x_stride, source, y, y_stride);
    case 2:
      return dot_all<2, T>(x, x_stride, source, y, y_stride);
    case 3:
      return dot_all<3, T>(x, x_stride, source, y, y_stride);
    case 4:
      return dot_all<4, T>(x, x_stride, source, y, y_stride);
    case 5:
      return dot_all<5, T>(x, x_stride, source, y, y_stride);
    case 6:
      return dot_all<6, T>(x, x_stride, source, y, y_stride);
    case 7:
      return dot_all<7, T>(x, x_stride, source, y, y_stride);
    default:
      return dot_all<8, T>(x, x_stride, source, y, y_stride);
  }
}

void dot_rows(const float* x, int64_t x_stride, int num_x, const PackSource& source, float* y,
              int64_t y_stride) {
  switch (source.dtype) {
    case glyph::DType::kF16:
      return dot_rows_of<glyph::F16>(x, x_stride, num_x, source, y, y_stride);
    case glyph::DType::kBF16:
      return dot_rows_of<glyph::BF16>(x, x_stride, num_x, source, y, y_stride);
    default:
      return dot_rows_of<float>(x, x_stride, num_x, source, y, y_stride);
  }
}

}  // namespace dots

}  // namespace
