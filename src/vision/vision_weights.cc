#include "vision/vision_weights.h"

#include <fmt/format.h>

#include "vision/preprocess.h"

namespace glyph {
namespace {

const std::string kRoot = "model.visual.";

Result<Tensor> load_vector(const WeightLoader& loader, const std::string& name, int64_t size) {
  return loader.f32(kRoot + name, std::span(&size, 1));
}

Result<Weight> load_matrix(const WeightLoader& loader, const std::string& name, int64_t rows,
                           int64_t columns) {
  return loader.matrix(kRoot + name, rows, columns);
}

// weights (rows, n) f32 as (rows, 2 * n) bf16: each rounded, and behind all of a row what that leaves over, rounded likewise. The two
// have 16 bits.
Tensor in_two_parts(const Tensor& weights) {
  const int64_t rows = weights.shape()[0], n = weights.shape()[1];
  Tensor parts(host_device(), DType::kBF16, {rows, 2 * n});
  for (int64_t i = 0; i < rows * n; ++i) {
    const float value = weights.data<float>()[i];
    BF16* const to = parts.data<BF16>() + i / n * 2 * n + i % n;
    to[0] = to_bf16(value);
    to[n] = to_bf16(value - to_float(to[0]));
  }
  return parts;
}

// weight (hidden, channels, frames, area) with normalised values v * slope + offset becomes weights over v
// and a bias.
Result<PatchWeights> load_patch_weights(const WeightLoader& loader, const VisionConfig& v,
                                        const PreprocessorConfig& preprocessor) {
  if (v.in_channels != 3)
    return refused(fmt::format("the vision model reads {} channels; 3 are supported", v.in_channels));
  const int64_t shape[] = {v.hidden_size, v.in_channels, v.temporal_patch_size, v.patch_size, v.patch_size};
  GLYPH_ASSIGN_OR_RETURN(const Tensor weight, loader.host_f32(kRoot + "patch_embed.proj.weight", shape));
  GLYPH_ASSIGN_OR_RETURN(Tensor bias,
                         loader.host_f32(kRoot + "patch_embed.proj.bias", std::span(&v.hidden_size, 1)));
  const int64_t area = v.patch_size * v.patch_size;
  PatchWeights patch{.grey = Tensor(host_device(), DType::kF32, {v.hidden_size, area}),
                     .colour = Tensor(host_device(), DType::kF32, {v.hidden_size, 3 * area}),
                     .bias = std::move(bias)};
  for (int64_t n = 0; n < v.hidden_size; ++n) {
    double offset_sum = 0;
    for (int64_t i = 0; i < area; ++i) {
      double grey = 0;
      for (int64_t c = 0; c < 3; ++c) {
        double sum = 0;
        for (int64_t t = 0; t < v.temporal_patch_size; ++t) {
          sum += weight.data<float>()[((n * 3 + c) * v.temporal_patch_size + t) * area + i];
        }
        const auto channel = static_cast<size_t>(c);
        const double slope = preprocessor.rescale_factor / preprocessor.image_std[channel];
        offset_sum -= sum * preprocessor.image_mean[channel] / preprocessor.image_std[channel];
        patch.colour.data<float>()[n * 3 * area + c * area + i] = static_cast<float>(sum * slope);
        grey += sum * slope;
      }
      patch.grey.data<float>()[n * area + i] = static_cast<float>(grey);
    }
    patch.bias.data<float>()[n] = static_cast<float>(patch.bias.data<float>()[n] + offset_sum);
  }
  if (loader.compute() == DType::kBF16 && !loader.device().host_memory()) {
    patch.grey = in_two_parts(patch.grey);
    patch.colour = in_two_parts(patch.colour);
  }
  return PatchWeights{.grey = loader.on_device(std::move(patch.grey)),
                      .colour = loader.on_device(std::move(patch.colour)),
                      .bias = loader.on_device(std::move(patch.bias))};
}

// A convolution whose stride is its size is a linear layer over the patches of a group: (out, channel, y, x)
// becomes (out, y, x, channel), because the patches of a group are neighbours.
Result<Weight> load_downsample(const WeightLoader& loader, const VisionConfig& v) {
  const int64_t cells = v.spatial_merge_size * v.spatial_merge_size;
  const int64_t shape[] = {v.out_hidden_size, v.hidden_size, v.spatial_merge_size, v.spatial_merge_size};
  GLYPH_ASSIGN_OR_RETURN(const Tensor stored, loader.host_f32(kRoot + "downsample.weight", shape));
  Tensor rearranged(host_device(), DType::kF32, {v.out_hidden_size, cells * v.hidden_size});
  const float* from = stored.data<float>();
  for (int64_t n = 0; n < v.out_hidden_size; ++n) {
    float* row = rearranged.view().row<float>(n);
    for (int64_t c = 0; c < v.hidden_size; ++c) {
      for (int64_t i = 0; i < cells; ++i) row[i * v.hidden_size + c] = *from++;
    }
  }
  return loader.convert(std::move(rearranged));
}

Result<VisionBlockWeights> load_block(const WeightLoader& loader, const VisionConfig& v, int64_t index) {
  const std::string name = fmt::format("blocks.{}.", index);
  const int64_t hidden = v.hidden_size,
                inner = v.out_hidden_size;  // reference: Glm4VisionMlp's width is out_hidden_size
  VisionBlockWeights block;
  GLYPH_ASSIGN_OR_RETURN(block.norm1, load_vector(loader, name + "norm1.weight", hidden));
  GLYPH_ASSIGN_OR_RETURN(block.norm2, load_vector(loader, name + "norm2.weight", hidden));
  GLYPH_ASSIGN_OR_RETURN(block.qkv, load_matrix(loader, name + "attn.qkv.weight", 3 * hidden, hidden));
  if (v.attention_bias) {
    GLYPH_ASSIGN_OR_RETURN(block.qkv_bias, load_vector(loader, name + "attn.qkv.bias", 3 * hidden));
  }
  GLYPH_ASSIGN_OR_RETURN(block.proj, load_matrix(loader, name + "attn.proj.weight", hidden, hidden));
  const MatrixName gate_and_up[] = {{kRoot + name + "mlp.gate_proj.weight", inner},
                                    {kRoot + name + "mlp.up_proj.weight", inner}};
  GLYPH_ASSIGN_OR_RETURN(std::vector<Weight> mlp, loader.matrices(gate_and_up, hidden));
  block.gate = std::move(mlp[0]);
  block.up = std::move(mlp[1]);
  GLYPH_ASSIGN_OR_RETURN(block.down, load_matrix(loader, name + "mlp.down_proj.weight", hidden, inner));
  return block;
}

}  // namespace

Result<VisionWeights> load_vision_weights(const WeightLoader& loader, const VisionConfig& v,
                                          const PreprocessorConfig& preprocessor) {
  VisionWeights weights;
  const int64_t out = v.out_hidden_size;
  const int64_t table_shape[] = {v.positions_per_side() * v.positions_per_side(), v.hidden_size};
  GLYPH_ASSIGN_OR_RETURN(weights.patch, load_patch_weights(loader, v, preprocessor));
  GLYPH_ASSIGN_OR_RETURN(Tensor table,
                         loader.f32(kRoot + "embeddings.position_embedding.weight", table_shape));
  weights.position_table = std::move(table);
  GLYPH_ASSIGN_OR_RETURN(weights.post_conv_norm,
                         load_vector(loader, "post_conv_layernorm.weight", v.hidden_size));
  for (int64_t i = 0; i < v.depth; ++i) {
    GLYPH_ASSIGN_OR_RETURN(VisionBlockWeights block, load_block(loader, v, i));
    weights.blocks.push_back(std::move(block));
  }
  GLYPH_ASSIGN_OR_RETURN(weights.post_norm, load_vector(loader, "post_layernorm.weight", v.hidden_size));
  GLYPH_ASSIGN_OR_RETURN(weights.downsample, load_downsample(loader, v));
  GLYPH_ASSIGN_OR_RETURN(weights.downsample_bias, load_vector(loader, "downsample.bias", out));
  GLYPH_ASSIGN_OR_RETURN(weights.merger_proj, load_matrix(loader, "merger.proj.weight", out, out));
  GLYPH_ASSIGN_OR_RETURN(weights.merger_norm, load_vector(loader, "merger.post_projection_norm.weight", out));
  GLYPH_ASSIGN_OR_RETURN(weights.merger_norm_bias,
                         load_vector(loader, "merger.post_projection_norm.bias", out));
  const MatrixName gate_and_up[] = {{kRoot + "merger.gate_proj.weight", v.intermediate_size},
                                    {kRoot + "merger.up_proj.weight", v.intermediate_size}};
  GLYPH_ASSIGN_OR_RETURN(std::vector<Weight> merger, loader.matrices(gate_and_up, out));
  weights.merger_gate = std::move(merger[0]);
  weights.merger_up = std::move(merger[1]);
  GLYPH_ASSIGN_OR_RETURN(weights.merger_down,
                         load_matrix(loader, "merger.down_proj.weight", out, v.intermediate_size));
  return weights;
}

}  // namespace glyph
