#include "ops/norm.h"

#include "ops/dispatch.h"

namespace glyph::ops {
namespace {

void check_rows(const Device& device, const ConstTensorView& x, const ConstTensorView& out) {
  GLYPH_CHECK(x.dtype() == DType::kF32 && is_matrix(x, x.size(0), x.size(1)));
  GLYPH_CHECK((is_float(device, out.dtype()) && is_matrix(out, x.size(0), x.size(1))) ||
              (device.kind() != DeviceKind::kCpu && is_quantised_rows(out, x.size(0), x.size(1))));
}

}  // namespace

void rms_norm(Device& device, const ConstTensorView& x, const ConstTensorView& weight, float eps,
              const TensorView& out) {
  check_rows(device, x, out);
  GLYPH_CHECK(is_vector(weight, x.size(1)));
  on_device(
      device, [&](CpuDevice& cpu) { cpu::rms_norm(cpu, x, weight, eps, out); },
      [&] { reference::rms_norm(x, weight, eps, out); },
      [&](CudaDevice& cuda) { cuda::rms_norm(cuda, x, weight, eps, out); });
}

void add_norm(Device& device, const TensorView& x, const ConstTensorView& branch,
              const AddNormWeights& weights, const TensorView& out) {
  check_rows(device, x, out);
  GLYPH_CHECK(branch.dtype() == DType::kF32 || (branch.dtype() == DType::kBF16 && device.kind() == DeviceKind::kCuda));
  GLYPH_CHECK(is_matrix(branch, x.size(0), x.size(1)));
  GLYPH_CHECK(is_vector(weights.branch, x.size(1)) && is_vector(weights.next, x.size(1)));
  on_device(
      device, [&](CpuDevice& cpu) { cpu::add_norm(cpu, x, branch, weights, out); },
      [&] { reference::add_norm(x, branch, weights, out); },
      [&](CudaDevice& cuda) { cuda::add_norm(cuda, x, branch, weights, out); });
}

void layer_norm_gelu(Device& device, const ConstTensorView& x, const ConstTensorView& weight,
                     const ConstTensorView& bias, float eps, const TensorView& out) {
  check_rows(device, x, out);
  GLYPH_CHECK(is_vector(weight, x.size(1)) && is_vector(bias, x.size(1)));
  on_device(
      device, [&](CpuDevice& cpu) { cpu::layer_norm_gelu(cpu, x, weight, bias, eps, out); },
      [&] { reference::layer_norm_gelu(x, weight, bias, eps, out); },
      [&](CudaDevice& cuda) { cuda::layer_norm_gelu(cuda, x, weight, bias, eps, out); });
}

}  // namespace glyph::ops
