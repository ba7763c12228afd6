#include "ops/rotary.h"

#include <cmath>

#include "ops/dispatch.h"

namespace glyph::ops {
namespace {

// 1 / theta^(2 i / width) for i < width / 2, rounded as the reference rounds it.
float inverse_frequency(double theta, int64_t i, int64_t width) {
  const float exponent = static_cast<float>(2 * i) / static_cast<float>(width);
  return 1.0f / std::pow(static_cast<float>(theta), exponent);
}

void check_tables(size_t num_positions, const ConstTensorView& cos, const ConstTensorView& sin) {
  GLYPH_CHECK(cos.rank() == 2 && cos.size(0) == static_cast<int64_t>(num_positions) && cos.shape() == sin.shape());
  GLYPH_CHECK(cos.dtype() == DType::kF32 && sin.dtype() == DType::kF32 && cos.dense() && sin.dense());
}

void put_angle(float angle, int64_t row, int64_t column, const TensorView& cos, const TensorView& sin) {
  cos.row<float>(row)[column] = std::cos(angle);
  sin.row<float>(row)[column] = std::sin(angle);
}

}  // namespace

void vision_rotary_table(Device&, std::span<const PatchPosition> positions, double theta, const TensorView& cos,
                         const TensorView& sin) {
  check_tables(positions.size(), cos, sin);
  GLYPH_CHECK(cos.size(1) % 2 == 0);
  const int64_t per_axis = cos.size(1) / 2;
  for (int64_t i = 0; i < per_axis; ++i) {
    const float frequency = inverse_frequency(theta, i, 2 * per_axis);
    for (size_t t = 0; t < positions.size(); ++t) {
      put_angle(static_cast<float>(positions[t].row) * frequency, static_cast<int64_t>(t), i, cos, sin);
      put_angle(static_cast<float>(positions[t].column) * frequency, static_cast<int64_t>(t), per_axis + i, cos, sin);
    }
  }
}

void text_rotary_table(Device&, std::span<const TokenPosition> positions, const TextRotaryOptions& options, const TensorView& cos,
                       const TensorView& sin) {
  check_tables(positions.size(), cos, sin);
  const auto& [time, height, width] = options.sections;
  GLYPH_CHECK(time + height + width == cos.size(1));
  for (int64_t i = 0; i < cos.size(1); ++i) {
    const float frequency = inverse_frequency(options.theta, i, 2 * cos.size(1));
    for (size_t t = 0; t < positions.size(); ++t) {
      const TokenPosition& position = positions[t];
      const int32_t coordinate = i < time ? position.time : i < time + height ? position.height : position.width;
      put_angle(static_cast<float>(coordinate) * frequency, static_cast<int64_t>(t), i, cos, sin);
    }
  }
}

void rotary(Device& device, const TensorView& x, const ConstTensorView& cos, const ConstTensorView& sin, RotaryPairs pairs) {
  GLYPH_CHECK(x.rank() == 3 && is_float(x.dtype()));
  check_tables(static_cast<size_t>(x.size(0)), cos, sin);
  GLYPH_CHECK(pairs == RotaryPairs::kHalves ? 2 * cos.size(1) == x.size(2) : 2 * cos.size(1) <= x.size(2));
  on_device(device, [&](CpuDevice& cpu) { cpu::rotary(cpu, x, cos, sin, pairs); }, [&] { reference::rotary(x, cos, sin, pairs); });
}

}  // namespace glyph::ops
