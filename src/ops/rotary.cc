#include "ops/rotary.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/dispatch.h"

namespace glyph::ops {
namespace {

// 1 / theta^(2 i / width) for i < count, rounded as the reference rounds it.
std::vector<float> inverse_frequencies(double theta, int64_t count, int64_t width) {
  std::vector<float> frequencies;
  for (int64_t i = 0; i < count; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(width);
    frequencies.push_back(1.0f / std::pow(static_cast<float>(theta), exponent));
  }
  return frequencies;
}

void put_angle(float angle, float* cos, float* sin) {
  *cos = std::cos(angle);
  *sin = std::sin(angle);
}

void host_vision_table(std::span<const PatchPosition> positions, std::span<const float> frequencies,
                       const TensorView& cos, const TensorView& sin) {
  const size_t per_axis = frequencies.size();
  // Many patches share a row or column: the angles of each coordinate are computed once.
  int32_t largest = 0;
  for (const PatchPosition& position : positions)
    largest = std::max({largest, position.row, position.column});
  const size_t num_coordinates = static_cast<size_t>(largest) + 1;
  std::vector<float> cosines(num_coordinates * per_axis), sines(num_coordinates * per_axis);
  for (size_t i = 0; i < per_axis; ++i) {
    for (size_t c = 0; c < num_coordinates; ++c) {
      put_angle(static_cast<float>(c) * frequencies[i], &cosines[c * per_axis + i], &sines[c * per_axis + i]);
    }
  }
  for (size_t t = 0; t < positions.size(); ++t) {
    const auto row = static_cast<size_t>(positions[t].row) * per_axis,
               column = static_cast<size_t>(positions[t].column) * per_axis;
    const auto copy = [&](const std::vector<float>& from, float* to) {
      std::copy_n(from.begin() + static_cast<ptrdiff_t>(row), per_axis, to);
      std::copy_n(from.begin() + static_cast<ptrdiff_t>(column), per_axis, to + per_axis);
    };
    copy(cosines, cos.row<float>(static_cast<int64_t>(t)));
    copy(sines, sin.row<float>(static_cast<int64_t>(t)));
  }
}

void host_text_table(std::span<const TokenPosition> positions, std::span<const float> frequencies,
                     const TextRotaryOptions& options, const TensorView& cos, const TensorView& sin) {
  const auto& [time, height, width] = options.sections;
  for (int64_t i = 0; i < cos.size(1); ++i) {
    for (size_t t = 0; t < positions.size(); ++t) {
      const TokenPosition& position = positions[t];
      const int32_t coordinate = i < time            ? position.time
                                 : i < time + height ? position.height
                                                     : position.width;
      const auto row = static_cast<int64_t>(t);
      put_angle(static_cast<float>(coordinate) * frequencies[static_cast<size_t>(i)],
                cos.row<float>(row) + i, sin.row<float>(row) + i);
    }
  }
}

}  // namespace

void check_tables(size_t num_positions, const ConstTensorView& cos, const ConstTensorView& sin) {
  GLYPH_CHECK(cos.rank() == 2 && cos.size(0) == static_cast<int64_t>(num_positions) &&
              cos.shape() == sin.shape());
  GLYPH_CHECK(cos.dtype() == DType::kF32 && sin.dtype() == DType::kF32 && cos.dense() && sin.dense());
}

void vision_rotary_table(Device& device, std::span<const PatchPosition> positions, double theta,
                         const TensorView& cos, const TensorView& sin) {
  check_tables(positions.size(), cos, sin);
  GLYPH_CHECK(cos.size(1) % 2 == 0);
  const std::vector<float> frequencies = inverse_frequencies(theta, cos.size(1) / 2, cos.size(1));
  const auto on_host = [&] { host_vision_table(positions, frequencies, cos, sin); };
  on_device(
      device, [&](CpuDevice&) { on_host(); }, on_host,
      [&](CudaDevice& cuda) { cuda::vision_rotary_table(cuda, positions, frequencies, cos, sin); });
}

std::vector<float> text_frequencies(const TextRotaryOptions& options, int64_t angles) {
  return inverse_frequencies(options.theta, angles, 2 * angles);
}

void text_rotary_table(Device& device, std::span<const TokenPosition> positions,
                       const TextRotaryOptions& options, const TensorView& cos, const TensorView& sin) {
  check_tables(positions.size(), cos, sin);
  const auto& [time, height, width] = options.sections;
  GLYPH_CHECK(time + height + width == cos.size(1));
  const std::vector<float> frequencies = text_frequencies(options, cos.size(1));
  const auto on_host = [&] { host_text_table(positions, frequencies, options, cos, sin); };
  on_device(
      device, [&](CpuDevice&) { on_host(); }, on_host,
      [&](CudaDevice& cuda) { cuda::text_rotary_table(cuda, positions, frequencies, options, cos, sin); });
}

void rotary(Device& device, const TensorView& x, const ConstTensorView& cos, const ConstTensorView& sin,
            RotaryPairs pairs) {
  GLYPH_CHECK(x.rank() == 3 && is_float(device, x.dtype()));
  check_tables(static_cast<size_t>(x.size(0)), cos, sin);
  GLYPH_CHECK(pairs == RotaryPairs::kHalves ? 2 * cos.size(1) == x.size(2) : 2 * cos.size(1) <= x.size(2));
  on_device(
      device, [&](CpuDevice& cpu) { cpu::rotary(cpu, x, cos, sin, pairs); },
      [&] { reference::rotary(x, cos, sin, pairs); },
      [&](CudaDevice& cuda) { cuda::rotary(cuda, x, cos, sin, pairs); });
}

}  // namespace glyph::ops
