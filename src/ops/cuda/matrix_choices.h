// The table of matrix products: which algorithm of cuBLASLt is fastest for which shape, as timed on one device. A
// program may keep it and give it to the next one that runs on the same GPU with the same library.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/device.h"
#include "tensor/dtype.h"

namespace glyph::ops::cuda {

// What shapes that share a choice have in common.
struct MatrixClass {
  int64_t outputs = 0, depth = 0;
  int64_t rows = 0;  // rounded up to three significant bits
  DType type = DType::kF32, out_type = DType::kF32;
  bool bias = false, accumulate = false, scaled = false;

  auto operator<=>(const MatrixClass&) const = default;
};

struct MatrixChoice {
  MatrixClass shape;
  std::array<uint64_t, 8> algorithm{};  // cublasLtMatmulAlgo_t
  uint64_t workspace_bytes = 0;
  double seconds = 0;        // of one product
  double first_seconds = 0;  // with the library's own recommendation
};

// Where the table is valid: the GPU and the library's version.
std::string matrix_choices_identity(Device& device);
// Only from the thread that queues work; device.kind() is kCuda.
std::vector<MatrixChoice> matrix_choices(Device& device);
void set_matrix_choices(Device& device, std::span<const MatrixChoice> choices);
// Shapes are timed at their first call from now on, not only once they have been called some times.
void time_matrices_at_once(Device& device, bool at_once);

}  // namespace glyph::ops::cuda
