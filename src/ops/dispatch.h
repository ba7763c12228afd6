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

// Type checks shared by the ops. What a device computes with: the host's processor has no kernels for f16.
inline bool is_float(const Device& device, DType type) {
  return type == DType::kF32 || type == DType::kBF16 || (type == DType::kF16 && device.kind() != DeviceKind::kCpu);
}
inline bool is_vector(const ConstTensorView& view, int64_t n) {
  return view.rank() == 1 && view.size(0) == n && view.dtype() == DType::kF32;
}
// (rows, n) e4m3 with a scale for each row.
inline bool is_quantised_rows(const ConstTensorView& view, int64_t rows, int64_t n) {
  return view.rank() == 2 && view.size(0) == rows && view.size(1) == n && view.dtype() == DType::kE4M3 &&
         view.scales() != nullptr;
}
// (rows, n) with dense rows.
inline bool is_matrix(const ConstTensorView& view, int64_t rows, int64_t n) {
  return view.rank() == 2 && view.size(0) == rows && view.size(1) == n && view.stride(1) == 1;
}

// linear.cc: of linear().
void check_linear(const Device& device, const ConstTensorView& x, std::span<const LinearPart> parts, const ConstTensorView& out);
// rotary.cc: of tables of angles.
void check_tables(size_t num_positions, const ConstTensorView& cos, const ConstTensorView& sin);

}  // namespace glyph::ops
