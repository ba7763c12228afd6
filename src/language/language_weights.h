// The weights of the language model as the forward pass uses them.
#pragma once

#include <vector>

#include "glyph/status.h"
#include "ops/weight.h"
#include "weights/config.h"

namespace glyph {

// What one of several ranks computes: its query heads, their KV heads (which several ranks have where there are more ranks than
// those), columns of the SwiGLU, and rows of the head. Embeddings are rank 0's.
struct LanguageShare {
  Slice heads, kv_heads, inner, vocab;
};
// kRefused, in one sentence, when heads cannot be shared by so many.
Status check_shares(const TextConfig& config, int num_ranks);
LanguageShare language_share(const TextConfig& config, int rank, int num_ranks);

// Of a rank: "heads", "kv_heads", "inner" and "vocab" count its own.
struct LanguageLayerWeights {
  Tensor input_norm;  // (hidden)
  Weight q, k, v;     // (heads * head_dim, hidden), (kv_heads * head_dim, hidden) twice
  WeightLoader::Vectors qkv_bias;  // of q, k and v
  Weight o;                    // (hidden, heads * head_dim)
  Tensor post_attention_norm;  // (hidden): of the attention branch (reference: post_self_attn_layernorm)
  Tensor mlp_norm;             // (hidden): before the MLP (reference: post_attention_layernorm)
  Weight gate, up;             // (inner, hidden)
  Weight down;                 // (hidden, inner)
  Tensor post_mlp_norm;        // (hidden): of the MLP branch
};

struct LanguageWeights {
  Weight embedding;  // (vocabulary, hidden) of rank 0
  std::vector<LanguageLayerWeights> layers;
  Tensor norm;  // (hidden)
  Weight head;  // (vocab, hidden)
};

Result<LanguageWeights> load_language_weights(const WeightLoader& loader, const ModelConfig& config, int rank = 0, int num_ranks = 1);

}  // namespace glyph
