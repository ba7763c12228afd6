#include "vision/vision_model.h"

#include <fmt/format.h>

#include <cmath>

#include "ops/attention.h"
#include "ops/norm.h"
#include "ops/rotary.h"
#include "tensor/workspace.h"
#include "vision/vision_weights.h"

namespace glyph {

struct VisionModel::Impl {
  Device& device;
  VisionConfig config;
  PreprocessorConfig preprocessor;
  DType compute;
  VisionWeights weights;
  mutable Workspace workspace;
  StageObserver observer;

  void show(std::string_view stage, const ConstTensorView& values) const {
    if (observer) observer(stage, values);
  }

  Result<PageFeatures> encode(const Patches& patches, const std::stop_token& stop) const;
  void embed_patches(const Patches& patches, const TensorView& x) const;
  struct Rotary {
    ConstTensorView cos, sin;  // (patches, head_dim / 2)
  };
  void run_block(const VisionBlockWeights& block, const Rotary& rotary, const TensorView& x) const;
  Tensor merge(const ConstTensorView& x) const;
};

// Reference: Glm4vVisionPatchEmbed.forward, then post_conv_layernorm.
void VisionModel::Impl::embed_patches(const Patches& patches, const TensorView& x) const {
  Workspace::Frame frame(workspace);
  const int64_t inputs = patches.channels * config.patch_size * config.patch_size;
  const TensorView bytes = workspace.take(DType::kF32, {x.size(0), inputs});
  auto* to = bytes.data<float>();
  for (const uint8_t pixel : patches.pixels) *to++ = pixel;
  const Tensor& weight = patches.channels == 1 ? weights.patch.grey : weights.patch.colour;
  ops::linear(device, bytes, {.weight = weight.view(), .bias = weights.patch.bias.view()}, x);
  show("patch_embed", x);
  ops::rms_norm(device, x, weights.post_conv_norm.view(), config.rms_norm_eps, x);
}

// Reference: Glm4vVisionBlock.forward.
void VisionModel::Impl::run_block(const VisionBlockWeights& block, const Rotary& rotary,
                                  const TensorView& x) const {
  Workspace::Frame frame(workspace);
  const int64_t patches = x.size(0), hidden = config.hidden_size;
  const TensorView normed = workspace.take(compute, {patches, hidden});
  const TensorView qkv = workspace.take(compute, {patches, 3 * hidden});
  const TensorView attended = workspace.take(compute, {patches, hidden});
  const TensorView inner = workspace.take(compute, {patches, config.out_hidden_size});

  ops::rms_norm(device, x, block.norm1.view(), config.rms_norm_eps, normed);
  const ConstTensorView bias = block.qkv_bias.empty() ? ConstTensorView() : block.qkv_bias.view();
  ops::linear(device, normed, {.weight = block.qkv.view(), .bias = bias}, qkv);
  const auto heads = [&](int64_t i) {
    return qkv.slice(1, i * hidden, (i + 1) * hidden).split_last(config.num_heads);
  };
  const TensorView q = heads(0), k = heads(1), v = heads(2);
  ops::rotary(device, q, rotary.cos, rotary.sin, ops::RotaryPairs::kHalves);
  ops::rotary(device, k, rotary.cos, rotary.sin, ops::RotaryPairs::kHalves);
  const float scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim()));
  ops::full_attention(device, q, k, v, scale, attended.split_last(config.num_heads));
  ops::linear(device, attended, {.weight = block.proj.view(), .bias = {}}, x, {.accumulate = true});

  ops::rms_norm(device, x, block.norm2.view(), config.rms_norm_eps, normed);
  ops::swiglu_linear(device, normed, block.gate.view(), block.up.view(), inner);
  ops::linear(device, inner, {.weight = block.down.view(), .bias = {}}, x, {.accumulate = true});
}

// Reference: the end of Glm4vVisionModel.forward and Glm4vVisionPatchMerger.forward.
Tensor VisionModel::Impl::merge(const ConstTensorView& x) const {
  Workspace::Frame frame(workspace);
  const int64_t cells = config.spatial_merge_size * config.spatial_merge_size;
  const int64_t tokens = x.size(0) / cells, out = config.out_hidden_size;
  const TensorView normed = workspace.take(compute, {x.size(0), config.hidden_size});
  ops::rms_norm(device, x, weights.post_norm.view(), config.rms_norm_eps, normed);
  show("post_norm", normed);

  const TensorView merged = workspace.take(compute, {tokens, out});
  ops::linear(device, normed.reshape({tokens, cells * config.hidden_size}),
              {.weight = weights.downsample.view(), .bias = weights.downsample_bias.view()}, merged);
  show("downsample", merged);

  constexpr float kLayerNormEps = 1e-5f;  // torch.nn.LayerNorm's default
  const TensorView projected = workspace.take(DType::kF32, {tokens, out});
  const TensorView activated = workspace.take(compute, {tokens, out});
  const TensorView inner = workspace.take(compute, {tokens, config.intermediate_size});
  ops::linear(device, merged, {.weight = weights.merger_proj.view(), .bias = {}}, projected);
  ops::layer_norm_gelu(device, projected, weights.merger_norm.view(), weights.merger_norm_bias.view(),
                       kLayerNormEps, activated);
  ops::swiglu_linear(device, activated, weights.merger_gate.view(), weights.merger_up.view(), inner);
  Tensor features(device, compute, {tokens, out});
  ops::linear(device, inner, {.weight = weights.merger_down.view(), .bias = {}}, features.view());
  show("merger", features.view());
  return features;
}

Result<PageFeatures> VisionModel::Impl::encode(const Patches& patches, const std::stop_token& stop) const {
  Workspace::Frame frame(workspace);
  const int64_t num_patches = patches.grid.num_patches(), angles = config.head_dim() / 2;
  const std::vector<ops::PatchPosition> positions = patch_positions(patches.grid, config.spatial_merge_size);
  const TensorView x = workspace.take(DType::kF32, {num_patches, config.hidden_size});
  const TensorView cos = workspace.take(DType::kF32, {num_patches, angles});
  const TensorView sin = workspace.take(DType::kF32, {num_patches, angles});
  ops::vision_rotary_table(device, positions, config.rope_theta, cos, sin);
  embed_patches(patches, x);
  ops::add_position_table(device, positions, patches.grid, weights.position_table.view(), x);
  show("position", x);
  for (size_t i = 0; i < weights.blocks.size(); ++i) {
    if (stop.stop_requested()) return cancelled("encoding the page was cancelled");
    run_block(weights.blocks[i], {cos, sin}, x);
    show(fmt::format("block.{}", i), x);
  }
  return PageFeatures{.grid = patches.grid, .merge_size = config.spatial_merge_size, .values = merge(x)};
}

VisionModel::VisionModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
VisionModel::VisionModel(VisionModel&&) noexcept = default;
VisionModel& VisionModel::operator=(VisionModel&&) noexcept = default;
VisionModel::~VisionModel() = default;

Result<VisionModel> VisionModel::load(Device& device, const ModelConfig& config,
                                      const PreprocessorConfig& preprocessor, const Checkpoint& checkpoint,
                                      const VisionOptions& options) {
  const DType compute = glyph::compute_type(device, options.precision);
  const WeightLoader loader(device, checkpoint, compute);
  GLYPH_ASSIGN_OR_RETURN(VisionWeights weights, load_vision_weights(loader, config.vision, preprocessor));
  return VisionModel(std::unique_ptr<Impl>(new Impl{.device = device,
                                                    .config = config.vision,
                                                    .preprocessor = preprocessor,
                                                    .compute = compute,
                                                    .weights = std::move(weights),
                                                    .workspace = Workspace(device),
                                                    .observer = {}}));
}

Result<PageFeatures> VisionModel::encode(const Image& page, std::stop_token stop) const {
  GLYPH_ASSIGN_OR_RETURN(const Patches patches, make_patches(page, impl_->preprocessor));
  return impl_->encode(patches, stop);
}

Result<PageFeatures> VisionModel::encode(const Patches& patches, std::stop_token stop) const {
  return impl_->encode(patches, stop);
}

void VisionModel::observe(StageObserver observer) { impl_->observer = std::move(observer); }
DType VisionModel::compute_type() const { return impl_->compute; }
const PreprocessorConfig& VisionModel::preprocessor() const { return impl_->preprocessor; }
size_t VisionModel::workspace_bytes() const { return impl_->workspace.num_bytes(); }

}  // namespace glyph
