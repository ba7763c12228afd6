// Ops whose indices already lie in the device's memory.
#pragma once

#include <cstdint>
#include <span>

#include "ops/rotary.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {

// embedding.cu: row i of out (n, width) f32 = row ids[i] of the table.
void look_up_rows(CudaDevice& device, const int32_t* ids, const ConstTensorView& table, const TensorView& out);

// rotary.cu: cos and sin (n, angles) f32 of n positions.
void fill_text_table(CudaDevice& device, const TokenPosition* positions, std::span<const float> frequencies,
                     const TextRotaryOptions& options, const TensorView& cos, const TensorView& sin);

}  // namespace glyph::ops::cuda
