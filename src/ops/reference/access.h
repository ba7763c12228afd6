// One element of any float type, for loops that do not care about speed.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "ops/quantise.h"
#include "tensor/tensor.h"

namespace glyph::ops::reference {

inline double get(const void* data, DType type, int64_t offset) {
  switch (type) {
    case DType::kF16:
      return to_float(static_cast<const F16*>(data)[offset]);
    case DType::kBF16:
      return to_float(static_cast<const BF16*>(data)[offset]);
    default:
      return static_cast<const float*>(data)[offset];
  }
}

inline void put(void* data, DType type, int64_t offset, double value) {
  if (type == DType::kBF16) {
    static_cast<BF16*>(data)[offset] = to_bf16(static_cast<float>(value));
  } else if (type == DType::kF16) {
    static_cast<F16*>(data)[offset] = to_f16(static_cast<float>(value));
  } else {
    static_cast<float*>(data)[offset] = static_cast<float>(value);
  }
}

inline double get(const ConstTensorView& view, int64_t i, int64_t j, int64_t k = 0) {
  if (is_quantised(view.dtype())) return value_at(view, {i, j});
  const int64_t last = view.rank() > 2 ? k * view.stride(2) : 0;
  return get(view.raw(), view.dtype(), i * view.stride(0) + j * view.stride(1) + last);
}
inline void put(const TensorView& view, int64_t i, int64_t j, int64_t k, double value) {
  const int64_t last = view.rank() > 2 ? k * view.stride(2) : 0;
  put(view.raw(), view.dtype(), i * view.stride(0) + j * view.stride(1) + last, value);
}
inline void put(const TensorView& view, int64_t i, int64_t j, double value) { put(view, i, j, 0, value); }

// A whole row; of an e4m3 matrix with its scale: the largest magnitude becomes 448.
inline void put_row(const TensorView& view, int64_t i, std::span<const double> row) {
  if (view.dtype() != DType::kE4M3) {
    for (size_t j = 0; j < row.size(); ++j) put(view, i, static_cast<int64_t>(j), row[j]);
    return;
  }
  double largest = 0;
  for (const double value : row) largest = std::max(largest, std::abs(value));
  const auto scale = static_cast<float>(largest / kLargestE4M3);
  static_cast<float*>(view.scales())[i] = scale;
  for (size_t j = 0; j < row.size(); ++j) {
    view.row<E4M3>(i)[j] = to_e4m3(scale == 0 ? 0.0f : static_cast<float>(row[j] / scale));
  }
}

}  // namespace glyph::ops::reference
