#include "ops/top_logits.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "ops/dispatch.h"

namespace glyph::ops {
namespace {

double log_sum_exp(std::span<const float> row) {
  const double largest = *std::max_element(row.begin(), row.end());
  if (largest == -std::numeric_limits<double>::infinity()) return largest;
  double sum = 0;
  for (const float x : row) sum += std::exp(static_cast<double>(x) - largest);
  return largest + std::log(sum);
}

TopLogits top_of_row(std::span<const float> row) {
  TopLogits top{};
  top.count = static_cast<int32_t>(std::min<int64_t>(std::ssize(row), TopLogits::kMost));
  top.bad = std::any_of(row.begin(), row.end(), [](float x) { return !(x < std::numeric_limits<float>::infinity()); }) ? 1 : 0;
  if (top.bad != 0) return top;
  std::vector<int32_t> order(row.size());
  std::iota(order.begin(), order.end(), 0);
  const auto value = [&](int32_t id) { return row[static_cast<size_t>(id)]; };
  std::partial_sort(order.begin(), order.begin() + top.count, order.end(),
                    [&](int32_t a, int32_t b) { return value(a) != value(b) ? value(a) > value(b) : a < b; });
  for (int32_t i = 0; i < top.count; ++i) {
    top.ids[i] = order[static_cast<size_t>(i)];
    top.values[i] = value(top.ids[i]);
  }
  top.log_sum = log_sum_exp(row);
  return top;
}

void top_logits_on_host(const ConstTensorView& logits, const TensorView& out) {
  for (int64_t row = 0; row < logits.size(0); ++row) {
    const TopLogits top = top_of_row({logits.row<float>(row), static_cast<size_t>(logits.size(1))});
    std::memcpy(out.row<float>(row), &top, sizeof(top));
  }
}

// log(sum(exp(values)))
double log_sum_exp_of(std::span<const TopLogits> pieces) {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const TopLogits& piece : pieces) largest = std::max(largest, piece.log_sum);
  if (largest == -std::numeric_limits<double>::infinity()) return largest;
  for (const TopLogits& piece : pieces) sum += std::exp(piece.log_sum - largest);
  return largest + std::log(sum);
}

}  // namespace

TopLogits merge(std::span<const TopLogits> pieces, std::span<const int64_t> first_ids) {
  GLYPH_CHECK(pieces.size() == first_ids.size());
  TopLogits merged{};
  int32_t known = 0;
  for (const TopLogits& piece : pieces) {
    known += piece.count;
    merged.bad |= piece.bad;
  }
  merged.count = std::min(known, TopLogits::kMost);
  if (merged.bad != 0) return merged;
  std::vector<int32_t> taken(pieces.size());
  for (int32_t i = 0; i < merged.count; ++i) {
    size_t best = pieces.size();  // of equals the first, whose ids are lower
    for (size_t p = 0; p < pieces.size(); ++p) {
      if (taken[p] == pieces[p].count) continue;
      if (best == pieces.size() || pieces[p].values[taken[p]] > pieces[best].values[taken[best]]) best = p;
    }
    const int32_t place = taken[best]++;
    merged.values[i] = pieces[best].values[place];
    merged.ids[i] = static_cast<int32_t>(first_ids[best]) + pieces[best].ids[place];
  }
  merged.log_sum = log_sum_exp_of(pieces);
  return merged;
}

void top_logits(Device& device, const ConstTensorView& logits, const TensorView& out) {
  GLYPH_CHECK(logits.dtype() == DType::kF32 && is_matrix(logits, logits.size(0), logits.size(1)) && logits.size(1) > 0);
  GLYPH_CHECK(out.dtype() == DType::kF32 && is_matrix(out, logits.size(0), kTopLogitsSize) && out.dense());
  on_device(
      device, [&](CpuDevice&) { top_logits_on_host(logits, out); }, [&] { top_logits_on_host(logits, out); },
      [&](CudaDevice& cuda) { cuda::top_logits(cuda, logits, out); });
}

}  // namespace glyph::ops
