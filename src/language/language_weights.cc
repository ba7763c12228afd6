#include "language/language_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace glyph {
namespace {

const std::string kRoot = "model.language_model.";
constexpr int64_t kShareUnit = kQuantGroup;  // of columns and rows: what quantised types and the tensor cores want

Result<Tensor> load_vector(const WeightLoader& loader, const std::string& name, int64_t size) {
  return loader.f32(kRoot + name, std::span(&size, 1));
}

Slice times(const Slice& slice, int64_t factor) { return {slice.begin * factor, slice.end * factor}; }

Status load_attention(const WeightLoader& loader, const TextConfig& t, const LanguageShare& share, const std::string& name,
                      LanguageLayerWeights& layer) {
  const int64_t dim = t.head_dim(), kv_size = t.num_kv_heads * dim;
  const Slice heads = times(share.heads, dim), kv_heads = times(share.kv_heads, dim);
  const auto parts = [&](const char* what, int64_t columns) {
    return std::array{MatrixPart{kRoot + name + "q_proj." + what, t.hidden_size, columns, heads},
                      MatrixPart{kRoot + name + "k_proj." + what, kv_size, columns, kv_heads},
                      MatrixPart{kRoot + name + "v_proj." + what, kv_size, columns, kv_heads}};
  };
  GLYPH_ASSIGN_OR_RETURN(std::vector<Weight> qkv, loader.parts(parts("weight", t.hidden_size)));
  layer.q = std::move(qkv[0]);
  layer.k = std::move(qkv[1]);
  layer.v = std::move(qkv[2]);
  GLYPH_ASSIGN_OR_RETURN(layer.qkv_bias, loader.vectors(parts("bias", 1)));
  const MatrixPart o{.name = kRoot + name + "o_proj.weight", .rows = t.hidden_size, .columns = t.hidden_size, .column_slice = heads};
  GLYPH_ASSIGN_OR_RETURN(std::vector<Weight> output, loader.parts(std::span(&o, 1)));
  layer.o = std::move(output[0]);
  return {};
}

Status load_mlp(const WeightLoader& loader, const TextConfig& t, const Slice& inner, const std::string& name, LanguageLayerWeights& layer) {
  const int64_t all = t.intermediate_size;
  const MatrixPart gate{.name = kRoot + name + "gate_up_proj.weight", .rows = 2 * all, .columns = t.hidden_size, .row_slice = inner};
  MatrixPart up = gate;
  up.row_slice = {all + inner.begin, all + inner.end};
  GLYPH_ASSIGN_OR_RETURN(std::vector<Weight> gate_up, loader.parts(std::array{gate, up}));
  layer.gate = std::move(gate_up[0]);
  layer.up = std::move(gate_up[1]);
  const MatrixPart down{.name = kRoot + name + "down_proj.weight", .rows = t.hidden_size, .columns = all, .column_slice = inner};
  GLYPH_ASSIGN_OR_RETURN(std::vector<Weight> output, loader.parts(std::span(&down, 1)));
  layer.down = std::move(output[0]);
  return {};
}

Result<LanguageLayerWeights> load_layer(const WeightLoader& loader, const TextConfig& t, const LanguageShare& share, int64_t index) {
  const std::string name = fmt::format("layers.{}.", index);
  LanguageLayerWeights layer;
  GLYPH_RETURN_IF_ERROR(load_attention(loader, t, share, name + "self_attn.", layer));
  GLYPH_RETURN_IF_ERROR(load_mlp(loader, t, share.inner, name + "mlp.", layer));
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

Status check_shares(const TextConfig& t, int num_ranks) {
  const int64_t more = std::max<int64_t>(num_ranks, t.num_kv_heads), fewer = std::min<int64_t>(num_ranks, t.num_kv_heads);
  if (t.num_heads % num_ranks == 0 && more % fewer == 0 && share_of(t.intermediate_size, 0, num_ranks, kShareUnit).size() > 0 &&
      share_of(t.vocab_size, 0, num_ranks, kShareUnit).size() > 0) {
    return {};
  }
  return refused(fmt::format("the language model has {} query and {} key heads, an inner size of {} and {} token ids, which {} devices cannot share",
                             t.num_heads, t.num_kv_heads, t.intermediate_size, t.vocab_size, num_ranks));
}

LanguageShare language_share(const TextConfig& t, int rank, int num_ranks) {
  LanguageShare share{.heads = share_of(t.num_heads, rank, num_ranks),
                      .kv_heads = share_of(t.num_kv_heads, rank, num_ranks),
                      .inner = share_of(t.intermediate_size, rank, num_ranks, kShareUnit),
                      .vocab = share_of(t.vocab_size, rank, num_ranks, kShareUnit)};
  if (num_ranks > t.num_kv_heads) {
    const int64_t head = rank * t.num_kv_heads / num_ranks;
    share.kv_heads = {head, head + 1};
  }
  return share;
}

Result<LanguageWeights> load_language_weights(const WeightLoader& loader, const ModelConfig& config, int rank, int num_ranks) {
  const TextConfig& t = config.text;
  const LanguageShare share = language_share(t, rank, num_ranks);
  const std::string embedding = kRoot + "embed_tokens.weight";
  LanguageWeights weights;
  if (rank == 0) { GLYPH_ASSIGN_OR_RETURN(weights.embedding, loader.table(embedding, t.vocab_size, t.hidden_size)); }
  for (int64_t i = 0; i < t.num_layers; ++i) {
    GLYPH_ASSIGN_OR_RETURN(LanguageLayerWeights layer, load_layer(loader, t, share, i));
    weights.layers.push_back(std::move(layer));
  }
  GLYPH_ASSIGN_OR_RETURN(weights.norm, load_vector(loader, "norm.weight", t.hidden_size));
  const std::string head = config.tie_word_embeddings ? embedding : "lm_head.weight";
  GLYPH_ASSIGN_OR_RETURN(weights.head, loader.head({.name = head, .rows = t.vocab_size, .columns = t.hidden_size, .row_slice = share.vocab}));
  return weights;
}

}  // namespace glyph
