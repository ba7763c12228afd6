// One matrix product as cuBLASLt sees it, and the algorithms it has for it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <vector>

#include "ops/cuda/products.h"

namespace glyph::ops::cuda {

// Everything an algorithm depends on. Row-major out (rows, n) = x (rows, k) * weight (n, k)^T is column-major out (n,
// rows) = weight (k, n)^T * x (k, rows): the library's m, n, k are outputs, rows, depth.
struct BlasShape {
  int64_t outputs = 0, rows = 0, depth = 0;
  int64_t weight_stride = 0, x_stride = 0, out_stride = 0;
  DType type = DType::kF32, out_type = DType::kF32;
  bool bias = false, accumulate = false;
  bool scaled = false;  // e4m3: the scales of rows and outputs are taken along (the library's outer vectors)
  uint32_t weight_alignment = 0, x_alignment = 0, out_alignment = 0;  // bytes

  auto operator<=>(const BlasShape&) const = default;
};
BlasShape shape_of(const Product& product);

struct BlasAlgorithm {
  cublasLtMatmulAlgo_t algorithm{};
  size_t workspace_bytes = 0;
};

class BlasPlan {
 public:
  BlasPlan(CudaDevice& device, const BlasShape& shape);

  // The library's recommendations, best first.
  std::vector<BlasAlgorithm> candidates(CudaDevice& device, int count) const;
  // Whether it has this one for this shape.
  bool supports(CudaDevice& device, const BlasAlgorithm& algorithm) const;
  // Queues the work; false when the library refuses after all. `bias`, of bias_type(), and `out` replace the product's.
  bool run(CudaDevice& device, const Product& product, const BlasAlgorithm& algorithm, const void* bias, void* out);

  // The library wants the bias in a type of its own.
  DType bias_type() const;
  const BlasShape& shape() const { return shape_; }

 private:
  struct LayoutDeleter {
    void operator()(cublasLtMatrixLayout_t layout) const { cublasLtMatrixLayoutDestroy(layout); }
  };
  using Layout = std::unique_ptr<cublasLtMatrixLayoutOpaque_t, LayoutDeleter>;
  struct DescDeleter {
    void operator()(cublasLtMatmulDesc_t desc) const { cublasLtMatmulDescDestroy(desc); }
  };
  using Desc = std::unique_ptr<cublasLtMatmulDescOpaque_t, DescDeleter>;

  static Layout make_layout(CudaDevice& device, DType type, int64_t rows, int64_t columns, int64_t stride);
  void make_desc(CudaDevice& device);
  template <typename T>
  void set(CudaDevice& device, cublasLtMatmulDescAttributes_t attribute, const T& value);

  BlasShape shape_;
  Desc desc_;
  Layout weight_, x_, out_;
};

}  // namespace glyph::ops::cuda
