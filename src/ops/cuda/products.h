// The kinds of matrix product that linear.cc chooses from. All queue work on the device's stream.
#pragma once

#include "ops/cuda/heads_end.h"
#include "ops/linear.h"
#include "ops/quantise.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {

// out (rows, n) = x (rows, inputs) * weight (n, inputs)^T + bias; types and strides as in ops/linear.h.
struct Product {
  ConstTensorView x;
  ConstTensorView weight;
  ConstTensorView bias;  // (n) f32, or empty
  TensorView out;
  bool accumulate = false;
  bool weight_is_new = false;  // made by what was queued just before: not to be read ahead of its end

  int64_t rows() const { return x.size(0); }
  int64_t depth() const { return x.size(1); }
  int64_t outputs() const { return weight.size(0); }
};

// At most this many rows are multiplied while weights that are not quantised stream by once.
constexpr int64_t kMaxVectorRows = 8;

// matrix_vector.cu: one to kMaxVectorRows rows, of quantised weights one row of bf16, bound by reading the weights. False for others, and when
// rows are not aligned to 16 bytes.
bool matrix_vector(CudaDevice& device, const Product& product);
// The same numbers as heads; of product.out, f32, only the queries are written. False, too, for unquantised weights with rows that are not f32,
// and for heads of odd sizes.
bool matrix_vector(CudaDevice& device, const Product& product, const HeadsEnd& end);
// out (rows, n) = silu(x * gate^T) * (x * up^T), likewise.
bool swiglu_matrix_vector(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& gate,
                          const ConstTensorView& up, const TensorView& out);

// matrix_few.cu: likewise on the tensor cores, up to kMaxQuantisedVectorRows bf16 rows with quantised weights, up to 8 f32 rows with bf16 weights.
// Sums come in another order. False for what does not fit, and heads whose size is not a multiple of 16.
bool fits_few(const ConstTensorView& x, const ConstTensorView& weight);
bool matrix_few(CudaDevice& device, const Product& product);
bool matrix_few(CudaDevice& device, const Product& product, const HeadsEnd& end);
bool swiglu_matrix_few(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& gate, const ConstTensorView& up, const TensorView& out);

// matrix_blas.cc: cuBLASLt, x and weight of one type, f32, f16, bf16 or e4m3. False when the library has no kernel for it.
bool matrix_blas(CudaDevice& device, const Product& product);

// matrix_any.cu: every type and alignment, slowly.
void matrix_any(CudaDevice& device, const Product& product);

// linear.cc: x * (parts of queries, keys and values) as heads, in one kernel; out (rows, outputs) f32, where only queries are written.
// False, and nothing is queued, where that takes several.
bool linear_heads(CudaDevice& device, const ConstTensorView& x, std::span<const LinearPart> parts, const TensorView& out, const HeadsEnd& end);

// swiglu.cu: out (rows, n) = silu(gates) * ups, both of one type; out may differ.
void swiglu(CudaDevice& device, const ConstTensorView& gates, const ConstTensorView& ups,
            const TensorView& out);
// quantise.cu: to (rows, n), dense, = from, quantised.
void dequantise(CudaDevice& device, const ConstTensorView& from, const TensorView& to);
// to (rows, n), dense bf16, = x.
void narrow(CudaDevice& device, const ConstTensorView& x, const TensorView& to);
// p.out = or += products (rows, n), dense, times the scales of p.x and p.weight, all e4m3, + bias.
void scale_products(CudaDevice& device, const ConstTensorView& products, const Product& p);
// load.cu: to, dense, = from, dense f32, f16 or bf16.
void convert(CudaDevice& device, const ConstTensorView& from, const TensorView& to);

}  // namespace glyph::ops::cuda
