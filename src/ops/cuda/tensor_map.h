// Boxes of a matrix that the copy engine brings to shared memory (compute capability 9.0). CUDA driver API: cuTensorMapEncodeTiled.
#pragma once

#include <cuda.h>

#include <optional>

#include "tensor/cuda/cuda_device.h"
#include "tensor/tensor.h"

namespace glyph::ops::cuda {

// What is copied at once. What lies outside of the matrix comes as zeros.
struct TensorBox {
  int columns, rows;
  bool swizzled;  // rows of 128 bytes, as wgmma reads them
};

// Of a matrix (rows, columns) of f32, bf16, f16 or e4m3, whose rows are dense. Nothing when it is not aligned to 16 bytes, or the driver refuses.
std::optional<CUtensorMap> tensor_map_of(CudaDevice& device, const ConstTensorView& matrix, const TensorBox& box);

}  // namespace glyph::ops::cuda
