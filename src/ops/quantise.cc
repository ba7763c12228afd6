#include "ops/quantise.h"

#include "ops/dispatch.h"

namespace glyph::ops {

void quantise(Device& device, const ConstTensorView& x, const TensorView& out) {
  GLYPH_CHECK(device.kind() != DeviceKind::kCpu && is_float(device, x.dtype()));
  GLYPH_CHECK(is_matrix(x, x.size(0), x.size(1)) && is_matrix(out, x.size(0), x.size(1)));
  GLYPH_CHECK(is_quantised(out.dtype()) && out.scales() != nullptr);
  GLYPH_CHECK(out.dtype() == DType::kE4M3 || (x.size(1) % kQuantGroup == 0 && out.dense()));
  on_device(
      device, [](CpuDevice&) {}, [&] { reference::quantise(x, out); },
      [&](CudaDevice& cuda) { cuda::quantise(cuda, x, out); });
}

DType input_type(DType compute, int64_t rows, std::initializer_list<ConstTensorView> weights) {
  if (rows <= kMaxQuantisedVectorRows) return compute;
  for (const ConstTensorView& weight : weights) {
    if (weight.dtype() != DType::kE4M3) return compute;
  }
  return DType::kE4M3;
}

}  // namespace glyph::ops
