#include "language/language_weights.h"

#include <fmt/format.h>

#include <array>

namespace glyph {
namespace {

const std::string kRoot = "model.language_model.";

Result<Tensor> load_vector(const WeightLoader& loader, const std::string& name, int64_t size) {
  return loader.f32(kRoot + name, std::span(&size, 1));
}

Status load_attention(const WeightLoader& loader, const TextConfig& t, const std::string& name,
                      LanguageLayerWeights& layer) {
  const int64_t kv_size = t.num_kv_heads * t.head_dim();
  const auto names = [&](const char* what) {
    return std::array{MatrixName{kRoot + name + "q_proj." + what, t.hidden_size},
                      MatrixName{kRoot + name + "k_proj." + what, kv_size},
                      MatrixName{kRoot + name + "v_proj." + what, kv_size}};
  };
  GLYPH_ASSIGN_OR_RETURN(std::vector<Weight> qkv, loader.matrices(names("weight"), t.hidden_size));
  layer.q = std::move(qkv[0]);
  layer.k = std::move(qkv[1]);
  layer.v = std::move(qkv[2]);
  GLYPH_ASSIGN_OR_RETURN(layer.qkv_bias, loader.vectors(names("bias")));
  GLYPH_ASSIGN_OR_RETURN(layer.o,
                         loader.matrix(kRoot + name + "o_proj.weight", t.hidden_size, t.hidden_size));
  return {};
}

Result<LanguageLayerWeights> load_layer(const WeightLoader& loader, const TextConfig& t, int64_t index) {
  const std::string name = fmt::format("layers.{}.", index);
  LanguageLayerWeights layer;
  GLYPH_RETURN_IF_ERROR(load_attention(loader, t, name + "self_attn.", layer));
  GLYPH_ASSIGN_OR_RETURN(layer.gate_up, loader.matrix(kRoot + name + "mlp.gate_up_proj.weight",
                                                      2 * t.intermediate_size, t.hidden_size));
  GLYPH_ASSIGN_OR_RETURN(
      layer.down, loader.matrix(kRoot + name + "mlp.down_proj.weight", t.hidden_size, t.intermediate_size));
  GLYPH_ASSIGN_OR_RETURN(layer.input_norm,
                         load_vector(loader, name + "input_layernorm.weight", t.hidden_size));
  GLYPH_ASSIGN_OR_RETURN(layer.post_attention_norm,
                         load_vector(loader, name + "post_self_attn_layernorm.weight", t.hidden_size));
  GLYPH_ASSIGN_OR_RETURN(layer.mlp_norm,
                         load_vector(loader, name + "post_attention_layernorm.weight", t.hidden_size));
  GLYPH_ASSIGN_OR_RETURN(layer.post_mlp_norm,
                         load_vector(loader, name + "post_mlp_layernorm.weight", t.hidden_size));
  return layer;
}

}  // namespace

Result<LanguageWeights> load_language_weights(const WeightLoader& loader, const ModelConfig& config) {
  const TextConfig& t = config.text;
  const std::string embedding = kRoot + "embed_tokens.weight";
  LanguageWeights weights;
  GLYPH_ASSIGN_OR_RETURN(weights.embedding, loader.table(embedding, t.vocab_size, t.hidden_size));
  for (int64_t i = 0; i < t.num_layers; ++i) {
    GLYPH_ASSIGN_OR_RETURN(LanguageLayerWeights layer, load_layer(loader, t, i));
    weights.layers.push_back(std::move(layer));
  }
  GLYPH_ASSIGN_OR_RETURN(weights.norm, load_vector(loader, "norm.weight", t.hidden_size));
  const std::string head = config.tie_word_embeddings ? embedding : "lm_head.weight";
  GLYPH_ASSIGN_OR_RETURN(weights.head, loader.plain_matrix(head, t.vocab_size, t.hidden_size));
  return weights;
}

}  // namespace glyph
