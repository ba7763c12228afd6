// Values that come from the host or from a seed, as tensors of any device: how weights get where they are used.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace glyph::ops {

// out, dense f32, f16 or bf16 = `from`, a dense tensor of as many elements in host memory. Types convert (f16 and bf16
// round to nearest even).
void load(Device& device, const ConstTensorView& from, const TensorView& out);

// Element i is offset + scale * u, u in [-1, 1): z = splitmix64(start + i), u = (z >> 40) / 2^23 - 1, all in f32.
// tools/model_oracle/tiny_model.py makes the same.
struct RandomValues {
  uint64_t start = 0;
  float scale = 1;
  float offset = 0;
};

// out, dense f32, f16 or bf16.
void fill_random(Device& device, const RandomValues& values, const TensorView& out);

}  // namespace glyph::ops
