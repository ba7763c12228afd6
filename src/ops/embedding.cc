#include "ops/embedding.h"

#include "ops/dispatch.h"

namespace glyph::ops {

void embedding(Device& device, std::span<const int32_t> ids, const ConstTensorView& table,
               const TensorView& out) {
  GLYPH_CHECK(table.rank() == 2 && table.stride(1) == 1 && table.dtype() != DType::kI32);
  GLYPH_CHECK(out.dtype() == DType::kF32 && is_matrix(out, static_cast<int64_t>(ids.size()), table.size(1)));
  for (const int32_t id : ids) GLYPH_CHECK(id >= 0 && id < table.size(0));
  on_device(
      device, [&](CpuDevice& cpu) { cpu::embedding(cpu, ids, table, out); },
      [&] { reference::embedding(ids, table, out); },
      [&](CudaDevice& cuda) { cuda::embedding(cuda, ids, table, out); });
}

void add_position_table(Device& device, std::span<const PatchPosition> positions, const PatchGrid& grid,
                        const ConstTensorView& table, const TensorView& x) {
  GLYPH_CHECK(x.dtype() == DType::kF32 && is_matrix(x, x.size(0), x.size(1)));
  GLYPH_CHECK(std::ssize(positions) == grid.num_patches() && grid.num_patches() > 0 && x.size(0) % grid.num_patches() == 0);
  GLYPH_CHECK(table.dtype() == DType::kF32 && is_matrix(table, table.size(0), x.size(1)) && table.dense());
  int64_t side = 0;
  while (side * side < table.size(0)) ++side;
  GLYPH_CHECK(side > 0 && side * side == table.size(0));
  for (const PatchPosition& position : positions) {
    GLYPH_CHECK(position.row >= 0 && position.row < grid.height && position.column >= 0 &&
                position.column < grid.width);
  }
  on_device(
      device, [&](CpuDevice& cpu) { cpu::add_position_table(cpu, positions, grid, table, x); },
      [&] { reference::add_position_table(positions, grid, table, x); },
      [&](CudaDevice& cuda) { cuda::add_position_table(cuda, positions, grid, table, x); });
}

void add_position_table(Device& device, const PatchPosition* positions, const PatchGrid& grid,
                        const ConstTensorView& table, const TensorView& x) {
  if (device.kind() != DeviceKind::kCuda) {
    return add_position_table(device, std::span(positions, static_cast<size_t>(grid.num_patches())), grid, table, x);
  }
  GLYPH_CHECK(x.dtype() == DType::kF32 && table.dtype() == DType::kF32 && table.dense() && table.rank() == 2);
  GLYPH_CHECK(is_matrix(x, x.size(0), table.size(1)) && grid.num_patches() > 0 && x.size(0) % grid.num_patches() == 0);
  cuda::add_position_table(device.cuda(), positions, grid, table, x);
}

}  // namespace glyph::ops
