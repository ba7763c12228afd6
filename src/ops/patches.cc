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

void widen_device_bytes(Device& device, const uint8_t* bytes, int64_t parts, const TensorView& out) {
  GLYPH_CHECK(out.dense() && out.rank() == 2 && parts > 0 && out.size(1) % parts == 0);
  if (device.kind() == DeviceKind::kCuda) {
    GLYPH_CHECK(out.dtype() == DType::kF32 || out.dtype() == DType::kBF16);
    return cuda::widen_device_bytes(device.cuda(), bytes, parts, out);
  }
  GLYPH_CHECK(parts == 1);
  widen_bytes(device, {bytes, static_cast<size_t>(out.shape().num_elements())}, out);
}

}  // namespace glyph::ops
