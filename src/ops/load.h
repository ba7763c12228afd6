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
  // Columns of a wider matrix, whose rows are `stride` elements apart: element i is then that matrix's element
  // i / columns * stride + i % columns. 0: all of it.
  uint64_t columns = 0;
  uint64_t stride = 0;

  constexpr uint64_t index_of(uint64_t i) const { return columns == 0 ? i : i / columns * stride + i % columns; }
};

// out, dense f32, f16 or bf16.
void fill_random(Device& device, const RandomValues& values, const TensorView& out);

}  // namespace glyph::ops
