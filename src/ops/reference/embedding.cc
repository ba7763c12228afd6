#include <algorithm>
#include <array>
#include <cmath>

#include "ops/reference/access.h"
#include "ops/reference/ops.h"

namespace glyph::ops::reference {
namespace {

// Keys' cubic convolution with a = -0.75 at distances 1 + t, t, 1 - t, 2 - t.
std::array<double, 4> cubic_weights(double t) {
  constexpr double a = -0.75;
  const auto near = [](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  return {far(t + 1), near(t), near(1 - t), far(2 - t)};
}

}  // namespace

void embedding(std::span<const int32_t> ids, const ConstTensorView& table, const TensorView& out) {
  for (size_t r = 0; r < ids.size(); ++r) {
    for (int64_t i = 0; i < table.size(1); ++i) put(out, static_cast<int64_t>(r), i, get(table, ids[r], i));
  }
}

void add_position_table(std::span<const PatchPosition> positions, const PatchGrid& grid,
                        const ConstTensorView& table, const TensorView& x) {
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(table.size(0)))));
  const auto place = [&](int32_t index, int64_t count) {
    return (static_cast<double>(index) + 0.5) / static_cast<double>(count) * static_cast<double>(side) - 0.5;
  };
  for (int64_t r = 0; r < x.size(0); ++r) {
    const PatchPosition& position = positions[static_cast<size_t>(r) % positions.size()];
    const double y = place(position.row, grid.height), column = place(position.column, grid.width);
    const std::array<double, 4> wy = cubic_weights(y - std::floor(y)),
                                wx = cubic_weights(column - std::floor(column));
    for (int64_t i = 0; i < x.size(1); ++i) {
      double sum = 0;
      for (int dy = 0; dy < 4; ++dy) {
        for (int dx = 0; dx < 4; ++dx) {
          const int64_t ty = std::clamp<int64_t>(static_cast<int64_t>(std::floor(y)) - 1 + dy, 0, side - 1);
          const int64_t tx =
              std::clamp<int64_t>(static_cast<int64_t>(std::floor(column)) - 1 + dx, 0, side - 1);
          sum += wy[static_cast<size_t>(dy)] * wx[static_cast<size_t>(dx)] * get(table, ty * side + tx, i);
        }
      }
      put(x, r, i, get(x, r, i) + sum);
    }
  }
}

}  // namespace glyph::ops::reference
