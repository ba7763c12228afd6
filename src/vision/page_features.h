// PageFeatures: what the vision model makes of a page and the language model reads in its place.
#pragma once

#include "ops/embedding.h"
#include "tensor/tensor.h"

namespace glyph {

struct PageFeatures {
  ops::PatchGrid grid;     // patches; tokens are grid / merge size
  int64_t merge_size = 2;  // patches a side of one token
  Tensor values;           // (tokens, language hidden size) f32 or bf16

  int64_t num_tokens() const { return values.shape()[0]; }
};

}  // namespace glyph
