#include "vision/vision_model.h"

#include <fmt/format.h>

#include <cmath>

#include "ops/attention.h"
#include "ops/norm.h"
#include "ops/patches.h"
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
    show_stage(observer, device, stage, values);
  }

  // What the blocks need to know about the rows of one pass: pages one after another.
  struct Rows {
    ConstTensorView cos, sin;          // (patches, head_dim / 2)
    std::vector<int64_t> page_tokens;  // patches of each page
  };
  Result<std::vector<PageFeatures>> encode(std::span<const Patches> pages, const std::stop_token& stop,
                                           const std::function<void()>& between_blocks = {}) const;
  void embed_patches(const Patches& patches, const TensorView& x) const;
  void run_block(const VisionBlockWeights& block, const Rows& rows, const TensorView& x) const;
  Tensor merge(const ConstTensorView& x) const;
  std::vector<PageFeatures> split(std::span<const Patches> pages, Tensor features) const;
};

// Reference: Glm4vVisionPatchEmbed.forward, then post_conv_layernorm.
void VisionModel::Impl::embed_patches(const Patches& patches, const TensorView& x) const {
  Workspace::Frame frame(workspace);
  const int64_t inputs = patches.channels * config.patch_size * config.patch_size;
  const TensorView bytes = workspace.take(DType::kF32, {x.size(0), inputs});
  ops::widen_bytes(device, patches.pixels, bytes);
  const Tensor& weight = patches.channels == 1 ? weights.patch.grey : weights.patch.colour;
  ops::linear(device, bytes, {.weight = weight.view(), .bias = weights.patch.bias.view()}, x);
  show("patch_embed", x);
  ops::rms_norm(device, x, weights.post_conv_norm.view(), config.rms_norm_eps, x);
}

// Reference: Glm4vVisionBlock.forward.
void VisionModel::Impl::run_block(const VisionBlockWeights& block, const Rows& rows,
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
  const auto heads = [&](int64_t i, int64_t count) {
    return qkv.slice(1, i * hidden, (i + count) * hidden).split_last(count * config.num_heads);
  };
  const TensorView q = heads(0, 1), k = heads(1, 1), v = heads(2, 1);
  ops::rotary(device, heads(0, 2), rows.cos, rows.sin, ops::RotaryPairs::kHalves);
  const float scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim()));
  ops::full_attention(device, q, k, v, scale, attended.split_last(config.num_heads), rows.page_tokens);
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

Result<std::vector<PageFeatures>> VisionModel::Impl::encode(std::span<const Patches> pages,
                                                            const std::stop_token& stop,
                                                            const std::function<void()>& between_blocks) const {
  Workspace::Frame frame(workspace);
  Rows rows;
  std::vector<ops::PatchPosition> positions;
  for (const Patches& page : pages) {
    const std::vector<ops::PatchPosition> on_page = patch_positions(page.grid, config.spatial_merge_size);
    positions.insert(positions.end(), on_page.begin(), on_page.end());
    rows.page_tokens.push_back(page.grid.num_patches());
  }
  const auto num_patches = std::ssize(positions);
  const int64_t angles = config.head_dim() / 2;
  const TensorView x = workspace.take(DType::kF32, {num_patches, config.hidden_size});
  const TensorView cos = workspace.take(DType::kF32, {num_patches, angles});
  const TensorView sin = workspace.take(DType::kF32, {num_patches, angles});
  ops::vision_rotary_table(device, positions, config.rope_theta, cos, sin);
  rows.cos = cos;
  rows.sin = sin;
  int64_t begin = 0;
  for (const Patches& page : pages) {
    const int64_t end = begin + page.grid.num_patches();
    const auto on_page = std::span(positions).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    embed_patches(page, x.rows(begin, end));
    ops::add_position_table(device, on_page, page.grid, weights.position_table.view(), x.rows(begin, end));
    begin = end;
  }
  show("position", x);
  for (size_t i = 0; i < weights.blocks.size(); ++i) {
    if (i > 0 && between_blocks) between_blocks();
    if (stop.stop_requested()) return cancelled("encoding the page was cancelled");
    run_block(weights.blocks[i], rows, x);
    show(fmt::format("block.{}", i), x);
  }
  Tensor features = merge(x);
  GLYPH_RETURN_IF_ERROR(device.take_status());
  return split(pages, std::move(features));
}

// A tensor for each page, because pages are kept and dropped one by one.
std::vector<PageFeatures> VisionModel::Impl::split(std::span<const Patches> pages, Tensor features) const {
  std::vector<PageFeatures> result;
  int64_t begin = 0;
  for (const Patches& page : pages) {
    result.push_back({.grid = page.grid, .merge_size = config.spatial_merge_size, .values = {}});
    if (pages.size() == 1) {
      result.back().values = std::move(features);
      break;
    }
    const int64_t end = begin + page.grid.num_patches() / (config.spatial_merge_size * config.spatial_merge_size);
    Tensor values(device, features.dtype(), {end - begin, features.shape()[1]});
    device.copy_bytes(values.view().raw(), features.view().rows(begin, end).raw(), values.num_bytes());
    result.back().values = std::move(values);
    begin = end;
  }
  return result;
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
  GLYPH_RETURN_IF_ERROR(device.take_status());
  return VisionModel(std::unique_ptr<Impl>(new Impl{.device = device,
                                                    .config = config.vision,
                                                    .preprocessor = preprocessor,
                                                    .compute = compute,
                                                    .weights = std::move(weights),
                                                    .workspace = Workspace(device),
                                                    .observer = {}}));
}

Result<PageFeatures> VisionModel::encode(const Image& page, std::stop_token stop,
                                         const std::function<void()>& between_blocks) const {
  GLYPH_ASSIGN_OR_RETURN(const Patches patches, make_patches(page, impl_->preprocessor));
  GLYPH_ASSIGN_OR_RETURN(std::vector<PageFeatures> features,
                         impl_->encode(std::span(&patches, 1), stop, between_blocks));
  return std::move(features.front());
}

Result<PageFeatures> VisionModel::encode(const Patches& patches, std::stop_token stop) const {
  GLYPH_ASSIGN_OR_RETURN(std::vector<PageFeatures> features, impl_->encode(std::span(&patches, 1), stop));
  return std::move(features.front());
}

Result<std::vector<PageFeatures>> VisionModel::encode(std::span<const Patches> pages, std::stop_token stop) const {
  if (pages.empty()) return std::vector<PageFeatures>();
  return impl_->encode(pages, stop);
}

void VisionModel::observe(StageObserver observer) { impl_->observer = std::move(observer); }
DType VisionModel::compute_type() const { return impl_->compute; }
const PreprocessorConfig& VisionModel::preprocessor() const { return impl_->preprocessor; }
size_t VisionModel::workspace_bytes() const { return impl_->workspace.num_bytes(); }

}  // namespace glyph
