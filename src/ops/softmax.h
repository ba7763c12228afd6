// Softmax over the last dimension.
#pragma once

#include "tensor/tensor.h"

namespace glyph::ops {

// x (rows, n) f32 in place: exp(x - max) / sum. A row of only -inf becomes zeros.
void softmax(Device& device, const TensorView& x);

}  // namespace glyph::ops
