#include <cuda_runtime.h>

#include "ops/cuda/attention_launch.cuh"
#include "ops/cuda/attention_pages.h"

namespace glyph::ops::cuda {
namespace {

constexpr int kThreads = 256;

struct PackProblem {
  HeadRows<uint4> from;  // strides in pieces of 16 bytes
  uint4* to;
  int64_t num_rows;
  int64_t num_pieces;  // of all heads
  int pieces_of_row;
};

// A piece a thread, in the order in which they are written.
__global__ void __launch_bounds__(kThreads) copy_pieces(const __grid_constant__ PackProblem problem) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= problem.num_pieces) return;
  const int64_t row = i / problem.pieces_of_row, piece = i % problem.pieces_of_row;
  problem.to[i] = problem.from.at(row % problem.num_rows, row / problem.num_rows)[piece];
}

}  // namespace

void pack_heads(CudaDevice& device, const ConstTensorView& x, void* to) {
  constexpr int64_t kPiece = 8;  // elements
  GLYPH_CHECK(size_of(x.dtype()) == 2 && is_aligned(x, kPiece) && x.size(2) % kPiece == 0);
  const int64_t pieces_of_row = x.size(2) / kPiece, num_pieces = x.size(0) * x.size(1) * pieces_of_row;
  launch(device, "pack_heads", copy_pieces, {dim3(count_of(divide_up(num_pieces, kThreads))), kThreads, 0},
         PackProblem{.from = {static_cast<const uint4*>(x.raw()), x.stride(0) / kPiece, x.stride(1) / kPiece},
                     .to = static_cast<uint4*>(to),
                     .num_rows = x.size(0),
                     .num_pieces = num_pieces,
                     .pieces_of_row = static_cast<int>(pieces_of_row)});
}

}  // namespace glyph::ops::cuda
