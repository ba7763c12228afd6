// The weights of the vision model as the forward pass uses them.
#pragma once

#include <vector>

#include "glyph/status.h"
#include "ops/linear.h"
#include "ops/weight.h"
#include "weights/config.h"

namespace glyph {

struct VisionBlockWeights {
  Tensor norm1;     // (hidden)
  Weight qkv;       // (3 * hidden, hidden)
  Tensor qkv_bias;  // (3 * hidden), or empty
  Weight proj;      // (hidden, hidden)
  Tensor norm2;     // (hidden)
  Weight gate;      // (out_hidden, hidden)
  Weight up;        // (out_hidden, hidden)
  Weight down;      // (hidden, out_hidden)
};

// The patch embedding over the bytes of a page: normalisation and the sum over identical frames (and, for a
// grey page, identical channels) are part of the weights. In f32, or as two bf16 numbers each where a GPU computes in bf16: bytes are exact
// in that, and the sum of two products on the tensor cores takes a fraction of the time of one in f32. Parts are 1 or 2.
struct PatchWeights {
  Tensor grey;    // (hidden, parts * patch_size^2)
  Tensor colour;  // (hidden, parts * 3 * patch_size^2)
  Tensor bias;    // (hidden)
};

struct VisionWeights {
  PatchWeights patch;
  Tensor position_table;  // (side * side, hidden)
  Tensor post_conv_norm;  // (hidden)
  std::vector<VisionBlockWeights> blocks;
  Tensor post_norm;         // (hidden)
  Weight downsample;        // (out_hidden, merge^2 * hidden): inputs in the order patch of the group, channel
  Tensor downsample_bias;   // (out_hidden)
  Weight merger_proj;       // (out_hidden, out_hidden)
  Tensor merger_norm;       // (out_hidden)
  Tensor merger_norm_bias;  // (out_hidden)
  Weight merger_gate;       // (intermediate, out_hidden)
  Weight merger_up;         // (intermediate, out_hidden)
  Weight merger_down;       // (out_hidden, intermediate)
};

Result<VisionWeights> load_vision_weights(const WeightLoader& loader, const VisionConfig& config,
                                          const PreprocessorConfig& preprocessor);

}  // namespace glyph
