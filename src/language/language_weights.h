// The weights of the language model as the forward pass uses them.
#pragma once

#include <vector>

#include "glyph/status.h"
#include "ops/weight.h"
#include "weights/config.h"

namespace glyph {

struct LanguageLayerWeights {
  Tensor input_norm;  // (hidden)
  Weight q, k, v;     // (heads * head_dim, hidden), (kv_heads * head_dim, hidden) twice
  WeightLoader::Vectors qkv_bias;  // of q, k and v
  Weight o;                    // (hidden, hidden)
  Tensor post_attention_norm;  // (hidden): of the attention branch (reference: post_self_attn_layernorm)
  Tensor mlp_norm;             // (hidden): before the MLP (reference: post_attention_layernorm)
  Weight gate_up;              // (2 * intermediate, hidden)
  Weight down;                 // (hidden, intermediate)
  Tensor post_mlp_norm;        // (hidden): of the MLP branch
};

struct LanguageWeights {
  Weight embedding;  // (vocab, hidden)
  std::vector<LanguageLayerWeights> layers;
  Tensor norm;  // (hidden)
  Weight head;  // (vocab, hidden)
};

Result<LanguageWeights> load_language_weights(const WeightLoader& loader, const ModelConfig& config);

}  // namespace glyph
