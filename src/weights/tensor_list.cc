#include "weights/tensor_list.h"

#include <fmt/format.h>

namespace glyph {
namespace {

using List = std::vector<ExpectedTensor>;

void add_vision_block(List& list, const VisionConfig& v, const std::string& block) {
  list.push_back({block + "norm1.weight", {v.hidden_size}});
  list.push_back({block + "norm2.weight", {v.hidden_size}});
  list.push_back({block + "attn.qkv.weight", {3 * v.hidden_size, v.hidden_size}});
  if (v.attention_bias) list.push_back({block + "attn.qkv.bias", {3 * v.hidden_size}});
  list.push_back({block + "attn.proj.weight", {v.hidden_size, v.hidden_size}});
  list.push_back({block + "mlp.gate_proj.weight", {v.out_hidden_size, v.hidden_size}});
  list.push_back({block + "mlp.up_proj.weight", {v.out_hidden_size, v.hidden_size}});
  list.push_back({block + "mlp.down_proj.weight", {v.hidden_size, v.out_hidden_size}});
}

void add_vision(List& list, const VisionConfig& v) {
  const std::string root = "model.visual.";
  const int64_t side = v.positions_per_side();
  list.push_back({root + "patch_embed.proj.weight",
                  {v.hidden_size, v.in_channels, v.temporal_patch_size, v.patch_size, v.patch_size}});
  list.push_back({root + "patch_embed.proj.bias", {v.hidden_size}});
  list.push_back({root + "embeddings.position_embedding.weight", {side * side, v.hidden_size}});
  list.push_back({root + "post_conv_layernorm.weight", {v.hidden_size}});
  for (int64_t i = 0; i < v.depth; ++i) add_vision_block(list, v, fmt::format("{}blocks.{}.", root, i));
  list.push_back({root + "post_layernorm.weight", {v.hidden_size}});
  list.push_back({root + "downsample.weight",
                  {v.out_hidden_size, v.hidden_size, v.spatial_merge_size, v.spatial_merge_size}});
  list.push_back({root + "downsample.bias", {v.out_hidden_size}});
  list.push_back({root + "merger.proj.weight", {v.out_hidden_size, v.out_hidden_size}});
  list.push_back({root + "merger.post_projection_norm.weight", {v.out_hidden_size}});
  list.push_back({root + "merger.post_projection_norm.bias", {v.out_hidden_size}});
  list.push_back({root + "merger.gate_proj.weight", {v.intermediate_size, v.out_hidden_size}});
  list.push_back({root + "merger.up_proj.weight", {v.intermediate_size, v.out_hidden_size}});
  list.push_back({root + "merger.down_proj.weight", {v.out_hidden_size, v.intermediate_size}});
}

void add_layer(List& list, const TextConfig& t, const std::string& layer) {
  const int64_t kv_size = t.num_kv_heads * t.head_dim();
  for (const auto& [name, rows] : {std::pair{"q", t.hidden_size}, {"k", kv_size}, {"v", kv_size}}) {
    list.push_back({fmt::format("{}self_attn.{}_proj.weight", layer, name), {rows, t.hidden_size}});
    list.push_back({fmt::format("{}self_attn.{}_proj.bias", layer, name), {rows}});
  }
  list.push_back({layer + "self_attn.o_proj.weight", {t.hidden_size, t.hidden_size}});
  list.push_back({layer + "mlp.gate_up_proj.weight", {2 * t.intermediate_size, t.hidden_size}});
  list.push_back({layer + "mlp.down_proj.weight", {t.hidden_size, t.intermediate_size}});
  for (const char* norm :
       {"input_layernorm", "post_self_attn_layernorm", "post_attention_layernorm", "post_mlp_layernorm"}) {
    list.push_back({fmt::format("{}{}.weight", layer, norm), {t.hidden_size}});
  }
}

}  // namespace

std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config) {
  const TextConfig& t = config.text;
  const std::string root = "model.language_model.";
  List list;
  add_vision(list, config.vision);
  list.push_back({root + "embed_tokens.weight", {t.vocab_size, t.hidden_size}});
  for (int64_t i = 0; i < t.num_layers; ++i) add_layer(list, t, fmt::format("{}layers.{}.", root, i));
  list.push_back({root + "norm.weight", {t.hidden_size}});
  if (!config.tie_word_embeddings) list.push_back({"lm_head.weight", {t.vocab_size, t.hidden_size}});
  return list;
}

Status check_model_tensors(const Checkpoint& checkpoint, const ModelConfig& config) {
  const std::vector<ExpectedTensor> expected = expected_tensors(config);
  std::vector<std::string> optional;
  if (config.tie_word_embeddings) optional.push_back("lm_head.weight");
  return checkpoint.check(expected, optional);
}

}  // namespace glyph
