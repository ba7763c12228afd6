#include "ops/patches.h"

#include <algorithm>

#include "ops/dispatch.h"

namespace glyph::ops {

void widen_bytes(Device& device, std::span<const uint8_t> bytes, const TensorView& out) {
  GLYPH_CHECK(out.dtype() == DType::kF32 && out.dense() &&
              out.shape().num_elements() == static_cast<int64_t>(bytes.size()));
  const auto on_host = [&] { std::copy(bytes.begin(), bytes.end(), out.data<float>()); };
  on_device(
      device, [&](CpuDevice&) { on_host(); }, on_host,
      [&](CudaDevice& cuda) { cuda::widen_bytes(cuda, bytes, out); });
}

void widen_device_bytes(Device& device, const uint8_t* bytes, const TensorView& out) {
  GLYPH_CHECK(out.dtype() == DType::kF32 && out.dense());
  if (device.kind() == DeviceKind::kCuda) return cuda::widen_device_bytes(device.cuda(), bytes, out);
  widen_bytes(device, {bytes, static_cast<size_t>(out.shape().num_elements())}, out);
}

}  // namespace glyph::ops
