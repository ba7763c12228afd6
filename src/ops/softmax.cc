#include "ops/softmax.h"

#include "ops/dispatch.h"

namespace glyph::ops {

void softmax(Device& device, const TensorView& x) {
  GLYPH_CHECK(x.dtype() == DType::kF32 && is_matrix(x, x.size(0), x.size(1)));
  on_device(
      device, [&](CpuDevice& cpu) { cpu::softmax(cpu, x); }, [&] { reference::softmax(x); },
      [&](CudaDevice& cuda) { cuda::softmax(cuda, x); });
}

}  // namespace glyph::ops
