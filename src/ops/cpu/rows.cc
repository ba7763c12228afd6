// Ops that work row by row: norms, softmax, rotary, embeddings.
#include <algorithm>
#include <array>
#include <cmath>

#include "ops/cpu/ops.h"

namespace glyph::ops::cpu {
namespace {

// body(row) over all rows, in slices of about 16 K elements; less than that runs on the calling thread.
template <typename Body>
void for_rows(CpuDevice& device, int64_t num_rows, int64_t row_elements, const Body& body) {
  const auto grain = static_cast<size_t>(std::max<int64_t>(1, 16384 / std::max<int64_t>(1, row_elements)));
  device.threads().parallel_for(static_cast<size_t>(num_rows), grain, [&](size_t begin, size_t end) {
    for (size_t r = begin; r < end; ++r) body(static_cast<int64_t>(r));
  });
}

void* row_pointer(const TensorView& view, int64_t row) {
  return static_cast<std::byte*>(view.raw()) +
         row * view.stride(0) * static_cast<int64_t>(size_of(view.dtype()));
}
const void* row_pointer(const ConstTensorView& view, int64_t row) {
  return static_cast<const std::byte*>(view.raw()) +
         row * view.stride(0) * static_cast<int64_t>(size_of(view.dtype()));
}

// Where an index of `count` falls on a table of `side` cells, and the four cells and weights around it. Torch
// computes in float; the weights are Keys' cubic convolution with a = -0.75 at distances 1 + t, t, 1 - t, 2 -
// t.
struct CubicTaps {
  std::array<int64_t, 4> cells;
  std::array<float, 4> weights;
};

CubicTaps cubic_taps(int32_t index, int64_t count, int64_t side) {
  constexpr float a = -0.75f;
  const float normalised = (static_cast<float>(index) + 0.5f) / static_cast<float>(count) * 2 - 1;
  const float place = ((normalised + 1) * static_cast<float>(side) - 1) / 2;
  const float t = place - std::floor(place);
  const auto near = [](float d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [](float d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  CubicTaps taps{.cells = {}, .weights = {far(t + 1), near(t), near(1 - t), far(2 - t)}};
  for (size_t i = 0; i < 4; ++i) {
    taps.cells[i] = std::clamp<int64_t>(static_cast<int64_t>(std::floor(place)) - 1 + static_cast<int64_t>(i),
                                        0, side - 1);
  }
  return taps;
}

}  // namespace

void rms_norm(CpuDevice& device, const ConstTensorView& x, const ConstTensorView& weight, float eps,
              const TensorView& out) {
  const Kernels& kernels = kernels_for(device.level());
  for_rows(device, x.size(0), x.size(1), [&](int64_t r) {
    kernels.rms_norm(x.row<float>(r), weight.data<float>(), x.size(1), eps, row_pointer(out, r), out.dtype());
  });
}

void add_norm(CpuDevice& device, const TensorView& x, const ConstTensorView& branch,
              const AddNormWeights& weights, const TensorView& out) {
  const Kernels& kernels = kernels_for(device.level());
  for_rows(device, x.size(0), x.size(1), [&](int64_t r) {
    kernels.add_norm(x.row<float>(r), branch.row<float>(r), weights.branch.data<float>(),
                     weights.next.data<float>(), x.size(1), weights.eps, row_pointer(out, r), out.dtype());
  });
}

void layer_norm_gelu(CpuDevice& device, const ConstTensorView& x, const ConstTensorView& weight,
                     const ConstTensorView& bias, float eps, const TensorView& out) {
  const Kernels& kernels = kernels_for(device.level());
  for_rows(device, x.size(0), x.size(1), [&](int64_t r) {
    kernels.layer_norm_gelu(x.row<float>(r), weight.data<float>(), bias.data<float>(), x.size(1), eps,
                            row_pointer(out, r), out.dtype());
  });
}

void softmax(CpuDevice& device, const TensorView& x) {
  const Kernels& kernels = kernels_for(device.level());
  for_rows(device, x.size(0), x.size(1), [&](int64_t r) { kernels.softmax(x.row<float>(r), x.size(1)); });
}

void rotary(CpuDevice& device, const TensorView& x, const ConstTensorView& cos, const ConstTensorView& sin,
            RotaryPairs pairs) {
  const Kernels& kernels = kernels_for(device.level());
  const auto rotate = pairs == RotaryPairs::kHalves ? kernels.rotate_halves : kernels.rotate_interleaved;
  const int64_t head_bytes = x.stride(1) * static_cast<int64_t>(size_of(x.dtype()));
  for_rows(device, x.size(0), x.size(1) * x.size(2), [&](int64_t r) {
    auto* head = static_cast<std::byte*>(row_pointer(x, r));
    for (int64_t h = 0; h < x.size(1); ++h) {
      rotate(head + h * head_bytes, x.dtype(), cos.row<float>(r), sin.row<float>(r), cos.size(1));
    }
  });
}

void embedding(CpuDevice& device, std::span<const int32_t> ids, const ConstTensorView& table,
               const TensorView& out) {
  const Kernels& kernels = kernels_for(device.level());
  for_rows(device, out.size(0), out.size(1), [&](int64_t r) {
    kernels.widen(row_pointer(table, ids[static_cast<size_t>(r)]), table.dtype(), table.size(1),
                  out.row<float>(r));
  });
}

void add_position_table(CpuDevice& device, std::span<const PatchPosition> positions, const PatchGrid& grid,
                        const ConstTensorView& table, const TensorView& x) {
  const Kernels& kernels = kernels_for(device.level());
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(table.size(0)))));
  for_rows(device, x.size(0), x.size(1) * 16, [&](int64_t r) {
    const PatchPosition& position = positions[static_cast<size_t>(r) % positions.size()];
    const CubicTaps rows = cubic_taps(position.row, grid.height, side);
    const CubicTaps columns = cubic_taps(position.column, grid.width, side);
    for (size_t i = 0; i < 4; ++i) {
      for (size_t j = 0; j < 4; ++j) {
        const int64_t cell = rows.cells[i] * side + columns.cells[j];
        kernels.add_scaled(x.row<float>(r), table.row<float>(cell), rows.weights[i] * columns.weights[j],
                           x.size(1));
      }
    }
  });
}

}  // namespace glyph::ops::cpu
