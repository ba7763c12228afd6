// Chooses the implementation of an op by the device's kind.
#pragma once

#include "ops/cpu/ops.h"
#include "ops/cuda/ops.h"
#include "ops/reference/ops.h"
#include "tensor/cpu_device.h"

namespace glyph::ops {

// on_device(device, [&](auto& cpu) { cpu::x(cpu, ...); }, [&] { reference::x(...); },
//           [&](auto& cuda) { cuda::x(cuda, ...); })
template <typename OnCpu, typename OnReference, typename OnCuda>
void on_device(Device& device, const OnCpu& on_cpu, const OnReference& on_reference, const OnCuda& on_cuda) {
  switch (device.kind()) {
    case DeviceKind::kCpu:
      return on_cpu(device.cpu());
    case DeviceKind::kReference:
      return on_reference();
    case DeviceKind::kCuda:
      return on_cuda(device.cuda());
  }
}

// Type checks shared by the ops.
inline bool is_float(DType type) { return type == DType::kF32 || type == DType::kBF16; }
inline bool is_vector(const ConstTensorView& view, int64_t n) {
  return view.rank() == 1 && view.size(0) == n && view.dtype() == DType::kF32;
}
// (rows, n) with dense rows.
inline bool is_matrix(const ConstTensorView& view, int64_t rows, int64_t n) {
  return view.rank() == 2 && view.size(0) == rows && view.size(1) == n && view.stride(1) == 1;
}

}  // namespace glyph::ops
