// Row kernels of attention: one step of the running softmax, and the sums it scales.
#pragma once

#include "ops/cpu/kernels.h"
#include "ops/cpu/simd.h"
#include "ops/cpu/vector_kernels.h"

namespace {

namespace attention_rows {

template <bool kRough>
inline Floats exp2_of(Floats x) {
  if constexpr (kRough) {
    return exp2_rough(x);
  } else {
    return exp2(x);
  }
}

// p[i] = 2^(s[i] * scale - shift) for i < visible, 0 up to count; returns the sum.
template <typename T>
float exp_row(const float* s, int64_t visible, int64_t count, float scale, float shift, T* p) {
  constexpr bool kRough = sizeof(T) == 2;
  constexpr int kChains = 4;
  Floats totals[kChains] = {};
  int64_t i = 0;
  for (; i + kChains * kLanes <= visible; i += kChains * kLanes) {
#pragma GCC unroll 4
    for (int j = 0; j < kChains; ++j) {
      const Floats value = exp2_of<kRough>(load(s + i + j * kLanes) * scale - shift);
      totals[j] += value;
      store(p + i + j * kLanes, value);
    }
  }
  for (; i + kLanes <= visible; i += kLanes) {
    const Floats value = exp2_of<kRough>(load(s + i) * scale - shift);
    totals[0] += value;
    store(p + i, value);
  }
  float tail_total = 0;
  if (i < visible) {
    float lanes[kLanes];
    store(lanes, exp2_of<kRough>(rows::load_n(s + i, static_cast<int>(visible - i)) * scale - shift));
    for (int64_t j = 0; i + j < visible; ++j) {
      tail_total += lanes[j];
      write(p + i + j, lanes[j]);
    }
  }
  for (int64_t j = visible; j < count; ++j) write(p + j, 0.0f);
  return sum((totals[0] + totals[1]) + (totals[2] + totals[3])) + tail_total;
}

float softmax_step(const float* s, int64_t visible, int64_t count, float scale, float* running_max,
                   float* running_sum, void* p, glyph::DType type) {
  const float old_max = *running_max;
  float new_max = old_max;
  if (visible > 0) {
    const float largest = rows::max_of(s, visible) * scale;
    new_max = largest > old_max ? largest : old_max;
  }
  const float shift = visible > 0 ? new_max * kLog2E : 0.0f;
  const float total = type == glyph::DType::kBF16
                          ? exp_row(s, visible, count, scale * kLog2E, shift, static_cast<glyph::BF16*>(p))
                          : exp_row(s, visible, count, scale * kLog2E, shift, static_cast<float*>(p));
  if (visible == 0) return 1.0f;
  float lanes[kLanes];
  store(lanes, exp2(splat((old_max - new_max) * kLog2E)));
  const float factor = lanes[0];
  *running_max = new_max;
  *running_sum = *running_sum * factor + total;
  return factor;
}

void rescale_add(float* out, const float* c, float factor, int64_t n) {
  rows::for_vectors(n, [&](int64_t i, int count) {
    rows::store_n(out + i, rows::load_n(out + i, count) * factor + rows::load_n(c + i, count), count);
  });
}

#if defined(__AVX512F__)
constexpr int kTileVectors = 4;  // 4 rows of p times 4 vectors: 16 sums in 32 registers
#else
constexpr int kTileVectors = 2;
#endif
constexpr int kTileRows = 4;
constexpr int64_t kPrefetchBytes = 1024;  // ahead of the row in use

// kVectors vectors of columns of the output for kNum rows of p; the last vector holds `width` columns if
// kVectors is 1.
template <int kNum, int kVectors, typename T>
void weighted_tile(const float* p, int64_t p_stride, const T* values, int64_t stride, int64_t count,
                   int width, float* out, int64_t out_stride) {
  Floats sums[kNum][kVectors] = {};
  for (int64_t k = 0; k < count; ++k) {
    const T* row = values + k * stride;
    __builtin_prefetch(reinterpret_cast<const char*>(row) + kPrefetchBytes);
    Floats value[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j)
      value[j] = kVectors > 1 ? load(row + j * kLanes) : rows::load_n(row, width);
#pragma GCC unroll 4
    for (int r = 0; r < kNum; ++r) {
      const Floats weight = splat(p[r * p_stride + k]);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) sums[r][j] += weight * value[j];
    }
  }
  for (int r = 0; r < kNum; ++r) {
    for (int j = 0; j < kVectors; ++j) {
      float* to = out + r * out_stride + j * kLanes;
      const int n = kVectors > 1 ? kLanes : width;
      rows::store_n(to, rows::load_n(to, n) + sums[r][j], n);
    }
  }
}

template <int kNum, typename T>
void weighted_tiles(const float* p, int64_t p_stride, const glyph::ops::cpu::PackSource& source, float* out,
                    int64_t out_stride) {
  constexpr int64_t kTile = kTileVectors * kLanes;
  const auto* values = static_cast<const T*>(source.data);
  int64_t i = 0;
  for (; i + kTile <= source.depth; i += kTile) {
    weighted_tile<kNum, kTileVectors>(p, p_stride, values + i, source.stride, source.count, kLanes, out + i,
                                      out_stride);
  }
  for (; i < source.depth; i += kLanes) {
    const int64_t left = source.depth - i;
    weighted_tile<kNum, 1>(p, p_stride, values + i, source.stride, source.count,
                           static_cast<int>(left < kLanes ? left : kLanes), out + i, out_stride);
  }
}

template <typename T>
void weighted_rows_of(const float* p, int64_t p_stride, int num_p, const glyph::ops::cpu::PackSource& source,
                      float* out, int64_t out_stride) {
  int r = 0;
  for (; r + kTileRows <= num_p; r += kTileRows) {
    weighted_tiles<kTileRows, T>(p + r * p_stride, p_stride, source, out + r * out_stride, out_stride);
  }
  for (; r < num_p; ++r)
    weighted_tiles<1, T>(p + r * p_stride, p_stride, source, out + r * out_stride, out_stride);
}

void weighted_rows(const float* p, int64_t p_stride, int num_p, const glyph::ops::cpu::PackSource& source,
                   float* out, int64_t out_stride) {
  if (source.dtype == glyph::DType::kBF16) {
    return weighted_rows_of<glyph::BF16>(p, p_stride, num_p, source, out, out_stride);
  }
  weighted_rows_of<float>(p, p_stride, num_p, source, out, out_stride);
}

}  // namespace attention_rows

}  // namespace
