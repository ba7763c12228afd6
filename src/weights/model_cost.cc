#include "weights/model_cost.h"

#include "weights/tensor_list.h"

namespace glyph {
namespace {

double real(int64_t value) { return static_cast<double>(value); }

// Of one language layer.
int64_t layer_weights(const TextConfig& t) {
  const int64_t kv_size = t.num_kv_heads * t.head_dim();
  return t.hidden_size * (2 * t.hidden_size + 2 * kv_size + 3 * t.intermediate_size);
}

int64_t num_elements(const ExpectedTensor& tensor) {
  int64_t count = 1;
  for (const int64_t side : tensor.shape) count *= side;
  return count;
}

}  // namespace

double vision_flop(const ModelConfig& config, std::span<const int64_t> page_patches) {
  const VisionConfig& v = config.vision;
  const int64_t block = v.hidden_size * (4 * v.hidden_size + 3 * v.out_hidden_size);
  const int64_t cells = v.spatial_merge_size * v.spatial_merge_size;
  const int64_t merger = v.out_hidden_size * (cells * v.hidden_size + v.out_hidden_size + 3 * v.intermediate_size);
  double multiplications = 0;
  for (const int64_t patches : page_patches) {
    const double n = real(patches);
    multiplications += n * real(v.patch_size * v.patch_size * v.hidden_size);  // a grey page, frames and channels summed
    multiplications += real(v.depth) * (n * real(block) + 2 * n * n * real(v.hidden_size));
    multiplications += n / real(cells) * real(merger);
  }
  return 2 * multiplications;
}

double prefill_flop(const ModelConfig& config, int64_t num_before, int64_t num_tokens) {
  const TextConfig& t = config.text;
  const double n = real(num_tokens), seen = n * real(num_before) + n * (n + 1) / 2;
  const double layer = n * real(layer_weights(t)) + 2 * seen * real(t.hidden_size);
  return 2 * (real(t.num_layers) * layer + real(t.vocab_size * t.hidden_size));
}

DecodeReads decode_reads(const ModelConfig& config, int64_t num_tokens) {
  const TextConfig& t = config.text;
  return {.layers = t.num_layers * layer_weights(t),
          .head = t.vocab_size * t.hidden_size,
          .kv = t.num_layers * 2 * t.num_kv_heads * t.head_dim() * num_tokens};
}

WeightCounts weight_counts(const ModelConfig& config) {
  WeightCounts counts;
  for (const ExpectedTensor& tensor : expected_tensors(config)) {
    const bool in_front = tensor.name.find("patch_embed") != std::string::npos ||
                          tensor.name.find("position_embedding") != std::string::npos;
    if (tensor.name.find("embed_tokens") != std::string::npos) counts.token_table += num_elements(tensor);
    else if (tensor.shape.size() < 2 || in_front) counts.others += num_elements(tensor);
    else counts.matrices += num_elements(tensor);
  }
  return counts;
}

}  // namespace glyph
