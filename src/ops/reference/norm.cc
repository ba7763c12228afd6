#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/reference/access.h"
#include "ops/reference/ops.h"

namespace glyph::ops::reference {
namespace {

std::vector<double> rms_normed(const ConstTensorView& x, int64_t row, const ConstTensorView& weight,
                               float eps) {
  const int64_t n = x.size(1);
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += get(x, row, i) * get(x, row, i);
  const double scale = 1.0 / std::sqrt(squares / static_cast<double>(n) + eps);
  std::vector<double> normed(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i)
    normed[static_cast<size_t>(i)] = get(x, row, i) * scale * weight.data<float>()[i];
  return normed;
}

}  // namespace

void rms_norm(const ConstTensorView& x, const ConstTensorView& weight, float eps, const TensorView& out) {
  for (int64_t r = 0; r < x.size(0); ++r) {
    put_row(out, r, rms_normed(x, r, weight, eps));
  }
}

void add_norm(const TensorView& x, const ConstTensorView& branch, const AddNormWeights& weights,
              const TensorView& out) {
  for (int64_t r = 0; r < x.size(0); ++r) {
    const std::vector<double> normed = rms_normed(branch, r, weights.branch, weights.eps);
    for (int64_t i = 0; i < x.size(1); ++i) put(x, r, i, get(x, r, i) + normed[static_cast<size_t>(i)]);
  }
  rms_norm(x, weights.next, weights.eps, out);
}

void layer_norm_gelu(const ConstTensorView& x, const ConstTensorView& weight, const ConstTensorView& bias,
                     float eps, const TensorView& out) {
  const int64_t n = x.size(1);
  for (int64_t r = 0; r < x.size(0); ++r) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < n; ++i) mean += get(x, r, i) / static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i)
      variance += (get(x, r, i) - mean) * (get(x, r, i) - mean) / static_cast<double>(n);
    std::vector<double> row(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) {
      const double normed = (get(x, r, i) - mean) / std::sqrt(variance + eps);
      const double value = normed * weight.data<float>()[i] + bias.data<float>()[i];
      row[static_cast<size_t>(i)] = value * 0.5 * (1.0 + std::erf(value / std::sqrt(2.0)));
    }
    put_row(out, r, row);
  }
}

void softmax(const TensorView& x) {
  for (int64_t r = 0; r < x.size(0); ++r) {
    double largest = -INFINITY, total = 0;
    for (int64_t i = 0; i < x.size(1); ++i) largest = std::max(largest, get(x, r, i));
    for (int64_t i = 0; i < x.size(1); ++i)
      total += std::isinf(largest) ? 0.0 : std::exp(get(x, r, i) - largest);
    for (int64_t i = 0; i < x.size(1); ++i)
      put(x, r, i, total == 0 ? 0.0 : std::exp(get(x, r, i) - largest) / total);
  }
}

}  // namespace glyph::ops::reference
