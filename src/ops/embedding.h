// Rows of tables: token embeddings and the learned position table of the vision model.
#pragma once

#include <cstdint>
#include <span>

#include "ops/rotary.h"
#include "tensor/tensor.h"

namespace glyph::ops {

// out (ids, n) f32 = rows of table (vocabulary, n) f32, f16 or bf16. Every id must be inside the table.
void embedding(Device& device, std::span<const int32_t> ids, const ConstTensorView& table,
               const TensorView& out);

struct PatchGrid {
  int64_t height = 0;  // patches
  int64_t width = 0;
  int64_t num_patches() const { return height * width; }
  bool operator==(const PatchGrid&) const = default;
};

// x (pages * patches, n) f32, pages of one grid whose patches lie at the same positions (patches) of it, += the square position table
// (side * side, n) f32, sampled bicubically at each patch's place in its grid. Reference: Glm4vVisionEmbeddings.forward; torch grid_sample, mode bicubic (a = -0.75),
// align_corners false, padding border.
void add_position_table(Device& device, std::span<const PatchPosition> positions, const PatchGrid& grid,
                        const ConstTensorView& table, const TensorView& x);
// The same with the positions, one for each patch of the grid, in the device's memory.
void add_position_table(Device& device, const PatchPosition* positions, const PatchGrid& grid,
                        const ConstTensorView& table, const TensorView& x);

}  // namespace glyph::ops
