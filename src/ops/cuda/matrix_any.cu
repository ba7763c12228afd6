// A matrix product of any types, strides and alignments: what the fast ones refuse. 64 x 64 outputs a block, 4 x 4
// a thread.
#include "ops/cuda/elements.cuh"
#include "ops/cuda/products.h"

namespace glyph::ops::cuda {
namespace {

constexpr int kTile = 64;    // rows and outputs of a block
constexpr int kDepth = 16;   // inputs at a time
constexpr int kSide = 4;     // rows and outputs of a thread
constexpr int kThreads = (kTile / kSide) * (kTile / kSide);

struct Sizes {
  int64_t rows, outputs, depth;
};

// Inputs [k, k + kDepth) of kTile rows, transposed; zero outside the matrix.
template <typename T>
__device__ void load_tile(Matrix<const T> from, int64_t first_row, int64_t num_rows, int64_t k, int64_t depth,
                          float (&tile)[kDepth][kTile + 1]) {
  for (int i = static_cast<int>(threadIdx.x); i < kTile * kDepth; i += kThreads) {
    const int row = i / kDepth, column = i % kDepth;
    const bool inside = first_row + row < num_rows && k + column < depth;
    tile[column][row] = inside ? to_f32(from.row(first_row + row)[k + column]) : 0.0f;
  }
}

template <typename X, typename W, typename Out>
__global__ void matrix_any_kernel(Matrix<const X> x, Matrix<const W> weight, const float* bias, Matrix<Out> out,
                                  Sizes sizes, bool accumulate) {
  __shared__ float x_tile[kDepth][kTile + 1], w_tile[kDepth][kTile + 1];
  const int64_t first_row = static_cast<int64_t>(blockIdx.y) * kTile,
                first_output = static_cast<int64_t>(blockIdx.x) * kTile;
  const int row = static_cast<int>(threadIdx.x) / (kTile / kSide) * kSide,
            output = static_cast<int>(threadIdx.x) % (kTile / kSide) * kSide;
  float sums[kSide][kSide] = {};
  for (int64_t k = 0; k < sizes.depth; k += kDepth) {
    load_tile(x, first_row, sizes.rows, k, sizes.depth, x_tile);
    load_tile(weight, first_output, sizes.outputs, k, sizes.depth, w_tile);
    __syncthreads();
    for (int d = 0; d < kDepth; ++d) {
#pragma unroll
      for (int i = 0; i < kSide; ++i) {
#pragma unroll
        for (int j = 0; j < kSide; ++j) sums[i][j] += x_tile[d][row + i] * w_tile[d][output + j];
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < kSide; ++i) {
    for (int j = 0; j < kSide; ++j) {
      const int64_t r = first_row + row + i, n = first_output + output + j;
      if (r >= sizes.rows || n >= sizes.outputs) continue;
      Out* to = out.row(r) + n;
      put(to, sums[i][j] + (bias != nullptr ? bias[n] : 0.0f) + (accumulate ? to_f32(*to) : 0.0f));
    }
  }
}

template <typename X, typename W>
void launch(CudaDevice& device, const Product& p) {
  const Sizes sizes{p.rows(), p.outputs(), p.depth()};
  const float* bias = p.bias.empty() ? nullptr : p.bias.data<float>();
  constexpr int64_t kMaxGridY = 65535;
  const int64_t tiles = (sizes.rows + kTile - 1) / kTile;
  GLYPH_CHECK(tiles <= kMaxGridY);
  const dim3 grid(static_cast<unsigned>((sizes.outputs + kTile - 1) / kTile), static_cast<unsigned>(tiles));
  with_type(p.out.dtype(), [&](auto type) {
    using Out = decltype(type);
    matrix_any_kernel<X, W, Out><<<grid, kThreads, 0, device.stream()>>>(
        matrix_of<X>(p.x), matrix_of<W>(p.weight), bias, matrix_of<Out>(p.out), sizes, p.accumulate);
  });
}

}  // namespace

void matrix_any(CudaDevice& device, const Product& product) {
  with_type(product.x.dtype(), [&](auto x_type) {
    with_type(product.weight.dtype(), [&](auto weight_type) {
      launch<decltype(x_type), decltype(weight_type)>(device, product);
    });
  });
  device.note_launch("matrix_any");
}

}  // namespace glyph::ops::cuda
