#include "ops/linear.h"

#include "ops/dispatch.h"

namespace glyph::ops {
namespace {

void check_weight(const Device& device, const ConstTensorView& x, const ConstTensorView& weight) {
  GLYPH_CHECK(is_matrix(weight, weight.size(0), x.size(1)));
  if (is_quantised(weight.dtype())) {
    GLYPH_CHECK(device.kind() != DeviceKind::kCpu && weight.scales() != nullptr);
    GLYPH_CHECK(is_float(device, x.dtype()) || (x.dtype() == DType::kE4M3 && weight.dtype() == DType::kE4M3));
  } else {
    GLYPH_CHECK(x.dtype() == DType::kF32 || (is_float(device, x.dtype()) && weight.dtype() == x.dtype()));
  }
}

// Where a linear layer's results go.
bool is_result(const Device& device, const ConstTensorView& out, int64_t rows, int64_t columns) {
  return is_matrix(out, rows, columns) && is_float(device, out.dtype());
}

}  // namespace

void check_linear(const Device& device, const ConstTensorView& x, std::span<const LinearPart> parts, const ConstTensorView& out) {
  int64_t columns = 0;
  for (const LinearPart& part : parts) {
    check_weight(device, x, part.weight);
    GLYPH_CHECK(part.bias.empty() || is_vector(part.bias, part.weight.size(0)));
    columns += part.weight.size(0);
  }
  GLYPH_CHECK(is_matrix(x, x.size(0), x.size(1)) && is_result(device, out, x.size(0), columns));
}

void linear(Device& device, const ConstTensorView& x, std::span<const LinearPart> parts,
            const TensorView& out, const LinearOptions& options) {
  check_linear(device, x, parts, out);
  GLYPH_CHECK(!options.accumulate || out.dtype() == DType::kF32);
  on_device(
      device, [&](CpuDevice& cpu) { cpu::linear(cpu, x, parts, out, options); },
      [&] { reference::linear(x, parts, out, options); },
      [&](CudaDevice& cuda) { cuda::linear(cuda, x, parts, out, options); });
}

void linear(Device& device, const ConstTensorView& x, const LinearPart& part, const TensorView& out,
            const LinearOptions& options) {
  linear(device, x, std::span(&part, 1), out, options);
}

void swiglu_linear(Device& device, const ConstTensorView& x, const ConstTensorView& gate,
                   const ConstTensorView& up, const TensorView& out) {
  check_weight(device, x, gate);
  check_weight(device, x, up);
  GLYPH_CHECK(gate.shape() == up.shape() && gate.dtype() == up.dtype());
  GLYPH_CHECK(is_matrix(x, x.size(0), x.size(1)));
  GLYPH_CHECK(is_result(device, out, x.size(0), gate.size(0)) ||
              (device.kind() != DeviceKind::kCpu && is_quantised_rows(out, x.size(0), gate.size(0))));
  on_device(
      device, [&](CpuDevice& cpu) { cpu::swiglu_linear(cpu, x, gate, up, out); },
      [&] { reference::swiglu_linear(x, gate, up, out); },
      [&](CudaDevice& cuda) { cuda::swiglu_linear(cuda, x, gate, up, out); });
}

}  // namespace glyph::ops
