// Row kernels over the vectors of simd.h: conversions, norms, activations, rotary, and the pieces of
// attention.
#pragma once

#include "ops/cpu/kernels.h"
#include "ops/cpu/simd.h"

namespace {

namespace rows {

using glyph::BF16;
using glyph::DType;
using glyph::F16;
using glyph::ops::cpu::Epilogue;

// body(index, count) over whole vectors, then once over what is left.
template <typename Body>
inline void for_vectors(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) body(i, kLanes);
  if (i < n) body(i, static_cast<int>(n - i));
}

template <typename T>
inline Floats load_n(const T* from, int count) {
  return count == kLanes ? load(from) : load_some(from, count);
}
template <typename T>
inline void store_n(T* to, Floats value, int count) {
  if (count == kLanes) {
    store(to, value);
  } else {
    store_some(to, value, count);
  }
}
// out[i ...] of either type.
inline void store_as(void* out, DType type, int64_t i, Floats value, int count) {
  if (type == DType::kBF16) {
    store_n(static_cast<BF16*>(out) + i, value, count);
  } else {
    store_n(static_cast<float*>(out) + i, value, count);
  }
}

template <typename T>
void widen_from(const T* from, int64_t count, float* to) {
  for_vectors(count, [&](int64_t i, int n) { store_n(to + i, load_n(from + i, n), n); });
}

void widen(const void* from, DType type, int64_t count, float* to) {
  switch (type) {
    case DType::kF16:
      return widen_from(static_cast<const F16*>(from), count, to);
    case DType::kBF16:
      return widen_from(static_cast<const BF16*>(from), count, to);
    default:
      return widen_from(static_cast<const float*>(from), count, to);
  }
}

void narrow(const float* from, int64_t count, float factor, void* to, DType type) {
  for_vectors(count, [&](int64_t i, int n) { store_as(to, type, i, load_n(from + i, n) * factor, n); });
}

inline void finish_row(const float* c, const float* up, int64_t columns, const Epilogue& epilogue, void* out,
                       DType type) {
  for_vectors(columns, [&](int64_t i, int n) {
    Floats value = load_n(c + i, n);
    if (epilogue.swiglu) value = silu(value) * load_n(up + i, n);
    if (epilogue.bias != nullptr) value += load_n(epilogue.bias + i, n);
    if (epilogue.accumulate) value += load_n(static_cast<const float*>(out) + i, n);
    store_as(out, type, i, value, n);
  });
}

void finish(const float* c, int64_t c_stride, int64_t up_offset, int64_t num_rows, int64_t columns,
            const Epilogue& epilogue, void* out, DType type, int64_t out_stride) {
  auto* bytes = static_cast<char*>(out);
  const int64_t stride_bytes = out_stride * static_cast<int64_t>(glyph::size_of(type));
  for (int64_t r = 0; r < num_rows; ++r) {
    finish_row(c + r * c_stride, c + r * c_stride + up_offset, columns, epilogue, bytes + r * stride_bytes,
               type);
  }
}

// 1 / sqrt(mean of squares + eps).
inline float inverse_rms(const float* x, int64_t n, float eps) {
  Floats squares = {};
  for_vectors(n, [&](int64_t i, int count) {
    const Floats value = load_n(x + i, count);
    squares += value * value;
  });
  return 1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(n) + eps);
}

void rms_norm(const float* x, const float* weight, int64_t n, float eps, void* out, DType type) {
  const float scale = inverse_rms(x, n, eps);
  for_vectors(n, [&](int64_t i, int count) {
    store_as(out, type, i, load_n(weight + i, count) * (load_n(x + i, count) * scale), count);
  });
}

void add_norm(float* x, const float* branch, const float* branch_weight, const float* next_weight, int64_t n,
              float eps, void* out, DType type) {
  const float scale = inverse_rms(branch, n, eps);
  for_vectors(n, [&](int64_t i, int count) {
    const Floats normed = load_n(branch_weight + i, count) * (load_n(branch + i, count) * scale);
    store_n(x + i, load_n(x + i, count) + normed, count);
  });
  rms_norm(x, next_weight, n, eps, out, type);
}

void layer_norm_gelu(const float* x, const float* weight, const float* bias, int64_t n, float eps, void* out,
                     DType type) {
  Floats total = {};
  for_vectors(n, [&](int64_t i, int count) { total += load_n(x + i, count); });
  const float mean = sum(total) / static_cast<float>(n);
  float squares = 0;
  Floats vector_squares = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Floats centred = load(x + i) - mean;
    vector_squares += centred * centred;
  }
  for (; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const float scale = 1.0f / __builtin_sqrtf((squares + sum(vector_squares)) / static_cast<float>(n) + eps);
  for_vectors(n, [&](int64_t j, int count) {
    const Floats normed = (load_n(x + j, count) - mean) * scale;
    store_as(out, type, j, gelu(normed * load_n(weight + j, count) + load_n(bias + j, count)), count);
  });
}

inline float max_of(const float* x, int64_t n) {
  if (n < kLanes) {
    float largest = x[0];
    for (int64_t i = 1; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
    return largest;
  }
  Floats largest[4];  // four chains, so that none waits for its own last result
  for (Floats& chain : largest)
    chain = load(x + n - kLanes);  // the last vector overlaps: a maximum does not mind
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) largest[j] = max(largest[j], load(x + i + j * kLanes));
  }
  for (; i + kLanes <= n; i += kLanes) largest[0] = max(largest[0], load(x + i));
  return max_lane(max(max(largest[0], largest[1]), max(largest[2], largest[3])));
}

void softmax(float* x, int64_t n) {
  if (n == 0) return;
  const float largest = max_of(x, n);
  const bool nothing = !(largest > -3.0e38f);
  Floats totals = {};
  float tail_total = 0;
  for_vectors(n, [&](int64_t i, int count) {
    const Floats value = nothing ? Floats{} : exp2((load_n(x + i, count) - largest) * kLog2E);
    store_n(x + i, value, count);
    if (count == kLanes) {
      totals += value;
    } else {
      for (int j = 0; j < count; ++j) tail_total += x[i + j];
    }
  });
  if (nothing) return;
  const float inverse = 1.0f / (sum(totals) + tail_total);
  for_vectors(n, [&](int64_t i, int count) { store_n(x + i, load_n(x + i, count) * inverse, count); });
}

template <typename T>
void rotate_halves_of(T* x, const float* cos, const float* sin, int64_t half) {
  for_vectors(half, [&](int64_t i, int n) {
    const Floats a = load_n(x + i, n), b = load_n(x + half + i, n);
    const Floats c = load_n(cos + i, n), s = load_n(sin + i, n);
    store_n(x + i, a * c - b * s, n);
    store_n(x + half + i, b * c + a * s, n);
  });
}

void rotate_halves(void* x, DType type, const float* cos, const float* sin, int64_t half) {
  if (type == DType::kBF16) return rotate_halves_of(static_cast<BF16*>(x), cos, sin, half);
  rotate_halves_of(static_cast<float*>(x), cos, sin, half);
}

template <typename T>
void rotate_interleaved_of(T* x, const float* cos, const float* sin, int64_t half) {
  for (int64_t i = 0; i < half; ++i) {
    const float a = read(x + 2 * i), b = read(x + 2 * i + 1);
    write(x + 2 * i, a * cos[i] - b * sin[i]);
    write(x + 2 * i + 1, b * cos[i] + a * sin[i]);
  }
}

void rotate_interleaved(void* x, DType type, const float* cos, const float* sin, int64_t half) {
  if (type == DType::kBF16) return rotate_interleaved_of(static_cast<BF16*>(x), cos, sin, half);
  rotate_interleaved_of(static_cast<float*>(x), cos, sin, half);
}

void add_scaled(float* to, const float* row, float weight, int64_t n) {
  for_vectors(n, [&](int64_t i, int count) {
    store_n(to + i, load_n(to + i, count) + load_n(row + i, count) * weight, count);
  });
}

}  // namespace rows

}  // namespace
