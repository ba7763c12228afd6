// Matrices of few bits (tensor/dtype.h: kE4M3, kI8, kI4), made from others; what reads them is ops/linear.h.
#pragma once

#include <initializer_list>

#include "tensor/tensor.h"

namespace glyph::ops {

constexpr float kLargestE4M3 = 448.0f;

// out (rows, n), quantised = x (rows, n) f32, f16 or bf16, dense rows. Not on the host's processor.
//   kE4M3: scale = largest magnitude of the row / 448, element = x / scale. One scale a row and not one a matrix:
//          the product takes it as its last step either way, and no row pays for the outliers of another.
//   kI8:   of each kQuantGroup elements: scale = largest magnitude / 127 as bf16, element = round(x / scale).
//   kI4:   scale = the element of largest magnitude, with its sign, / -8 as bf16, so that all 16 values are used;
//          element = round(x / scale), at most 7.
// Where all elements are zero so is the scale.
void quantise(Device& device, const ConstTensorView& x, const TensorView& out);

// Up to this many rows meet quantised weights as they are; more are themselves made e4m3 for e4m3 weights, or the
// weights are widened first.
constexpr int64_t kMaxQuantisedVectorRows = 32;

// The type in which linear layers with these weights want `rows` rows of input, in a model that computes in `compute`:
// e4m3 where that is what their products multiply, so that the op which makes the rows also scales them.
DType input_type(DType compute, int64_t rows, std::initializer_list<ConstTensorView> weights);

}  // namespace glyph::ops
