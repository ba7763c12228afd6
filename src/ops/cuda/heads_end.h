// The end of a product whose results are heads (ops::project_heads): queries, then keys, then values.
#pragma once

#include "ops/cuda/attention_decode.h"

namespace glyph::ops::cuda {

struct HeadsEnd {
  const float* cos;  // (rows, angles), dense
  const float* sin;
  int angles;         // a head, of queries and keys
  int keys, values;   // the first output of each
  DecodeTable table;  // row i goes to sequence i, as its last position; f32, f16 or bf16
};

// Of a product whose results are rows.
struct RowsEnd {};

}  // namespace glyph::ops::cuda
