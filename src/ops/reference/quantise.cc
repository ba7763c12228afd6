#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/reference/access.h"
#include "ops/reference/ops.h"

namespace glyph::ops::reference {
namespace {

// Elements [begin, begin + kQuantGroup) of a row to integers with one scale.
void quantise_group(const ConstTensorView& x, int64_t row, int64_t begin, const TensorView& out) {
  const bool bytes = out.dtype() == DType::kI8;
  double low = 0, high = 0;
  for (int64_t i = begin; i < begin + kQuantGroup; ++i) {
    low = std::min(low, get(x, row, i));
    high = std::max(high, get(x, row, i));
  }
  const double extreme = high >= -low ? high : low;
  const BF16 stored = to_bf16(static_cast<float>(bytes ? std::abs(extreme) / 127 : extreme / -8));
  const double scale = to_float(stored);
  const int64_t group = row * scales_of_row(out.dtype(), out.size(1)) + begin / kQuantGroup;
  static_cast<BF16*>(out.scales())[group] = stored;
  for (int64_t i = begin; i < begin + kQuantGroup; ++i) {
    const double rounded = scale == 0 ? 0 : std::nearbyint(get(x, row, i) / scale);
    if (bytes) {
      out.row<int8_t>(row)[i] = static_cast<int8_t>(std::clamp(rounded, -127.0, 127.0));
      continue;
    }
    auto& pair = static_cast<uint8_t*>(out.raw())[(row * out.stride(0) + i) / 2];
    const auto nibble = static_cast<uint8_t>(std::clamp(rounded, -8.0, 7.0) + 8);
    pair = static_cast<uint8_t>(i % 2 == 0 ? nibble : pair | nibble << 4);
  }
}

}  // namespace

void quantise(const ConstTensorView& x, const TensorView& out) {
  std::vector<double> row(static_cast<size_t>(x.size(1)));
  for (int64_t r = 0; r < x.size(0); ++r) {
    if (out.dtype() == DType::kE4M3) {
      for (int64_t i = 0; i < x.size(1); ++i) row[static_cast<size_t>(i)] = get(x, r, i);
      put_row(out, r, row);
      continue;
    }
    for (int64_t i = 0; i < x.size(1); i += kQuantGroup) quantise_group(x, r, i, out);
  }
}

}  // namespace glyph::ops::reference
