#include "vision/vision_model.h"

#include <fmt/format.h>

#include <cmath>

#include "ops/attention.h"
#include "ops/norm.h"
#include "ops/quantise.h"
#include "ops/rotary.h"
#include "tensor/workspace.h"
#include "vision/compiled_passes.h"
#include "vision/page_batch.h"
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
  mutable CompiledPasses passes;

  static Result<std::unique_ptr<Impl>> load(Device& device, const ModelConfig& config, const PreprocessorConfig& preprocessor,
                                            const Checkpoint& checkpoint, Precision precision);

  void show(std::string_view stage, const ConstTensorView& values) const {
    show_stage(observer, device, stage, values);
  }

  // What happens between the blocks of a pass that is queued call by call.
  struct Pauses {
    std::stop_token stop = {};
    std::function<void()> between_blocks = {};
  };
  int64_t tokens_of(const ops::PatchGrid& grid) const {
    return grid.num_patches() / (config.spatial_merge_size * config.spatial_merge_size);
  }
  Result<std::vector<PageFeatures>> encode(std::span<const Patches> pages, const Pauses& pauses) const;
  std::vector<PageFeatures> encode_compiled(CompiledPasses::Pass& pass, std::span<const Patches> pages) const;
  Status queue(const PageBatch& batch, const Pauses& pauses, const TensorView& features) const;
  void embed_patches(const PageBatch& batch, const PageBatch::Run& run, const TensorView& x) const;
  void run_block(const VisionBlockWeights& block, const PageBatch& batch, const TensorView& x) const;
  void merge(const ConstTensorView& x, const TensorView& features) const;
  std::vector<PageFeatures> split(std::span<const Patches> pages, const ConstTensorView& features) const;
};

// Reference: Glm4vVisionPatchEmbed.forward, then post_conv_layernorm.
void VisionModel::Impl::embed_patches(const PageBatch& batch, const PageBatch::Run& run, const TensorView& x) const {
  Workspace::Frame frame(workspace);
  const Tensor& weight = run.shape.channels == 1 ? weights.patch.grey : weights.patch.colour;
  const TensorView bytes = workspace.take(weight.dtype(), {x.size(0), weight.shape()[1]});
  batch.widen(run, bytes);
  ops::linear(device, bytes, {.weight = weight.view(), .bias = weights.patch.bias.view()}, x);
  show("patch_embed", x);
  ops::rms_norm(device, x, weights.post_conv_norm.view(), config.rms_norm_eps, x);
  batch.add_positions(run, weights.position_table.view(), x);
}

// Reference: Glm4vVisionBlock.forward.
void VisionModel::Impl::run_block(const VisionBlockWeights& block, const PageBatch& batch,
                                  const TensorView& x) const {
  Workspace::Frame frame(workspace);
  const int64_t patches = x.size(0), hidden = config.hidden_size;
  const DType input = ops::input_type(compute, patches, {block.qkv.view(), block.gate.view(), block.up.view()});
  const TensorView normed = workspace.take(input, {patches, hidden});
  const TensorView qkv = workspace.take(compute, {patches, 3 * hidden});
  const TensorView attended = workspace.take(compute, {patches, hidden});
  const TensorView inner = workspace.take(ops::input_type(compute, patches, {block.down.view()}),
                                          {patches, config.out_hidden_size});

  ops::rms_norm(device, x, block.norm1.view(), config.rms_norm_eps, normed);
  const ConstTensorView bias = block.qkv_bias.empty() ? ConstTensorView() : block.qkv_bias.view();
  ops::linear(device, normed, {.weight = block.qkv.view(), .bias = bias}, qkv);
  const auto heads = [&](int64_t i, int64_t count) {
    return qkv.slice(1, i * hidden, (i + count) * hidden).split_last(count * config.num_heads);
  };
  const TensorView q = heads(0, 1), k = heads(1, 1), v = heads(2, 1);
  ops::rotary(device, heads(0, 2), batch.cos(), batch.sin(), ops::RotaryPairs::kHalves);
  const float scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim()));
  ops::full_attention(device, q, k, v, scale, attended.split_last(config.num_heads), batch.page_tokens());
  ops::linear(device, attended, {.weight = block.proj.view(), .bias = {}}, x, {.accumulate = true});

  ops::rms_norm(device, x, block.norm2.view(), config.rms_norm_eps, normed);
  ops::swiglu_linear(device, normed, block.gate.view(), block.up.view(), inner);
  ops::linear(device, inner, {.weight = block.down.view(), .bias = {}}, x, {.accumulate = true});
}

// Reference: the end of Glm4vVisionModel.forward and Glm4vVisionPatchMerger.forward.
void VisionModel::Impl::merge(const ConstTensorView& x, const TensorView& features) const {
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
  const TensorView activated = workspace.take(
      ops::input_type(compute, tokens, {weights.merger_gate.view(), weights.merger_up.view()}), {tokens, out});
  const TensorView inner = workspace.take(ops::input_type(compute, tokens, {weights.merger_down.view()}),
                                          {tokens, config.intermediate_size});
  ops::linear(device, merged, {.weight = weights.merger_proj.view(), .bias = {}}, projected);
  ops::layer_norm_gelu(device, projected, weights.merger_norm.view(), weights.merger_norm_bias.view(),
                       kLayerNormEps, activated);
  ops::swiglu_linear(device, activated, weights.merger_gate.view(), weights.merger_up.view(), inner);
  ops::linear(device, inner, {.weight = weights.merger_down.view(), .bias = {}}, features);
  show("merger", features);
}

// Queues a pass; features (tokens, out_hidden).
Status VisionModel::Impl::queue(const PageBatch& batch, const Pauses& pauses, const TensorView& features) const {
  Workspace::Frame frame(workspace);
  const TensorView x = workspace.take(DType::kF32, {batch.num_patches(), config.hidden_size});
  for (const PageBatch::Run& run : batch.runs()) embed_patches(batch, run, x.rows(run.begin, run.end));
  show("position", x);
  for (size_t i = 0; i < weights.blocks.size(); ++i) {
    if (i > 0 && pauses.between_blocks) pauses.between_blocks();
    if (pauses.stop.stop_requested()) return cancelled("encoding the page was cancelled");
    run_block(weights.blocks[i], batch, x);
    show(fmt::format("block.{}", i), x);
  }
  merge(x, features);
  return {};
}

Result<std::vector<PageFeatures>> VisionModel::Impl::encode(std::span<const Patches> pages, const Pauses& pauses) const {
  if (pauses.stop.stop_requested()) return cancelled("encoding the page was cancelled");
  if (!observer) passes.say_what_is_missing(pages);
  std::vector<PageFeatures> result;
  if (CompiledPasses::Pass* pass = observer ? nullptr : passes.find(pages, config)) {
    result = encode_compiled(*pass, pages);
  } else {
    std::vector<PageShape> shapes;
    for (const Patches& page : pages) shapes.push_back(shape_of(page));
    PageBatch batch(device, config, std::move(shapes));
    batch.set(pages);
    Tensor features(device, compute, {tokens_of({1, batch.num_patches()}), config.out_hidden_size});
    GLYPH_RETURN_IF_ERROR(queue(batch, pauses, features.view()));
    if (pages.size() > 1) result = split(pages, features.view());
    else result.push_back({pages[0].grid, config.spatial_merge_size, std::move(features)});
  }
  GLYPH_RETURN_IF_ERROR(device.take_status());
  return result;
}

// What the pass needs and its features lie in the workspace, like those of any other pass.
std::vector<PageFeatures> VisionModel::Impl::encode_compiled(CompiledPasses::Pass& pass,
                                                             std::span<const Patches> pages) const {
  passes.run(pass, pages, [this](CompiledPasses::Pass& one) {
    Workspace::Frame frame(workspace);
    const int64_t tokens = tokens_of({1, one.batch->num_patches()});
    one.features = workspace.take(compute, {tokens, config.out_hidden_size});
    const Status queued = queue(*one.batch, {}, one.features);
    GLYPH_CHECK(queued.ok());  // nothing stops it
  });
  return split(pages, pass.features);
}

// A tensor for each page, because pages are kept and dropped one by one.
std::vector<PageFeatures> VisionModel::Impl::split(std::span<const Patches> pages, const ConstTensorView& features) const {
  std::vector<PageFeatures> result;
  int64_t begin = 0;
  for (const Patches& page : pages) {
    const int64_t end = begin + tokens_of(page.grid);
    Tensor values(device, features.dtype(), {end - begin, features.size(1)});
    device.copy_bytes(values.view().raw(), features.rows(begin, end).raw(), values.num_bytes());
    result.push_back({page.grid, config.spatial_merge_size, std::move(values)});
    begin = end;
  }
  return result;
}

Result<std::unique_ptr<VisionModel::Impl>> VisionModel::Impl::load(Device& device, const ModelConfig& config,
                                                                   const PreprocessorConfig& preprocessor,
                                                                   const Checkpoint& checkpoint, Precision precision) {
  const DType compute = glyph::compute_type(device, precision);
  // What is seen wrong stays wrong: 4 bits are for the language model.
  const bool four_bits = precision == Precision::kInt4;
  const WeightLoader loader(device, checkpoint, compute, four_bits ? DType::kI8 : glyph::weight_type(device, precision));
  GLYPH_ASSIGN_OR_RETURN(VisionWeights weights, load_vision_weights(loader, config.vision, preprocessor));
  GLYPH_RETURN_IF_ERROR(device.take_status());
  return std::unique_ptr<Impl>(new Impl{.device = device,
                                        .config = config.vision,
                                        .preprocessor = preprocessor,
                                        .compute = compute,
                                        .weights = std::move(weights),
                                        .workspace = Workspace(device),
                                        .observer = {},
                                        .passes = CompiledPasses(device)});
}

VisionModel::VisionModel() = default;
VisionModel::VisionModel(VisionModel&&) noexcept = default;
VisionModel& VisionModel::operator=(VisionModel&&) noexcept = default;
VisionModel::~VisionModel() = default;

Result<VisionModel> VisionModel::load(Device& device, const ModelConfig& config,
                                      const PreprocessorConfig& preprocessor, const Checkpoint& checkpoint,
                                      const VisionOptions& options) {
  GLYPH_RETURN_IF_ERROR(check_precision(device, options.precision));
  VisionModel model;
  model.ranks_.resize(1);
  GLYPH_ASSIGN_OR_RETURN(model.ranks_[0], Impl::load(device, config, preprocessor, checkpoint, options.precision));
  return model;
}

Result<VisionModel> VisionModel::load(DeviceGroup& group, const ModelConfig& config, const PreprocessorConfig& preprocessor,
                                      const Checkpoint& checkpoint, const VisionOptions& options) {
  if (group.size() == 1) return load(group.device(), config, preprocessor, checkpoint, options);
  GLYPH_RETURN_IF_ERROR(check_precision(group.device(), options.precision));
  VisionModel model;
  model.group_ = &group;
  model.ranks_.resize(static_cast<size_t>(group.size()));
  const Status status = group.run([&](int rank) -> Status {
    auto loaded = Impl::load(group.device(rank), config, preprocessor, checkpoint, options.precision);
    GLYPH_RETURN_IF_ERROR(group.agree(rank, loaded.status()));
    model.ranks_[static_cast<size_t>(rank)] = std::move(loaded).value();
    return {};
  });
  if (!status.ok()) return status;
  return model;
}

Result<PageFeatures> VisionModel::encode(const Image& page, std::stop_token stop,
                                         const std::function<void()>& between_blocks) const {
  GLYPH_ASSIGN_OR_RETURN(const Patches patches, make_patches(page, preprocessor()));
  GLYPH_ASSIGN_OR_RETURN(std::vector<PageFeatures> features, encode(std::span(&patches, 1), std::move(stop), between_blocks));
  return std::move(features.front());
}

Result<PageFeatures> VisionModel::encode(const Patches& patches, std::stop_token stop) const {
  GLYPH_ASSIGN_OR_RETURN(std::vector<PageFeatures> features, encode(std::span(&patches, 1), std::move(stop)));
  return std::move(features.front());
}

Result<std::vector<PageFeatures>> VisionModel::encode(std::span<const Patches> pages, std::stop_token stop,
                                                      const std::function<void()>& between_blocks) const {
  if (pages.empty()) return std::vector<PageFeatures>();
  if (group_ != nullptr && pages.size() > 1 && !ranks_[0]->observer) return encode_shared(pages, stop);
  return ranks_[0]->encode(pages, {std::move(stop), between_blocks});
}

namespace {

// The pages of a rank; the first ranks have one less where they cannot be shared evenly.
std::span<const Patches> pages_of(std::span<const Patches> pages, int rank, int num_ranks) {
  const Slice share = share_of(std::ssize(pages), rank, num_ranks);
  return pages.subspan(static_cast<size_t>(share.begin), static_cast<size_t>(share.size()));
}

}  // namespace

Result<std::vector<PageFeatures>> VisionModel::encode_shared(std::span<const Patches> pages, const std::stop_token& stop) const {
  std::vector<PageFeatures> all;
  const Status status = group_->run([&](int rank) -> Status {
    const std::span<const Patches> share = pages_of(pages, rank, group_->size());
    Result<std::vector<PageFeatures>> mine = std::vector<PageFeatures>();
    if (!share.empty()) mine = ranks_[static_cast<size_t>(rank)]->encode(share, {stop, {}});
    GLYPH_RETURN_IF_ERROR(group_->agree(rank, mine.status()));
    return collect(rank, pages, std::move(mine).value(), all);
  });
  if (!status.ok()) return status;
  return all;
}

// The features of every rank, in the order of the pages, to rank 0.
Status VisionModel::collect(int rank, std::span<const Patches> pages, std::vector<PageFeatures> mine, std::vector<PageFeatures>& all) const {
  const Impl& impl = *ranks_[static_cast<size_t>(rank)];
  Communicator& communicator = group_->communicator(rank);
  if (rank != 0) {
    for (const PageFeatures& page : mine) communicator.send(page.values.view(), 0);
    return impl.device.take_status();
  }
  all = std::move(mine);
  for (int from = 1; from < group_->size(); ++from) {
    for (const Patches& page : pages_of(pages, from, group_->size())) {
      Tensor values(impl.device, impl.compute, {impl.tokens_of(page.grid), impl.config.out_hidden_size});
      communicator.receive(values.view(), from);
      all.push_back({page.grid, impl.config.spatial_merge_size, std::move(values)});
    }
  }
  return impl.device.take_status();
}

void VisionModel::compile(const PageShape& shape, int64_t num_pages) {
  const auto size = static_cast<int>(ranks_.size());
  if (num_pages == 1) return ranks_[0]->passes.add(shape, 1);
  for (int rank = 0; rank < size; ++rank) {
    const int64_t share = share_of(num_pages, rank, size).size();
    if (share > 0) ranks_[static_cast<size_t>(rank)]->passes.add(shape, share);
  }
}

void VisionModel::forget_compiled() {
  for (const auto& rank : ranks_) rank->passes.clear();
}
void VisionModel::observe(StageObserver observer) { ranks_[0]->observer = std::move(observer); }
DType VisionModel::compute_type() const { return ranks_[0]->compute; }
DType VisionModel::weight_type() const { return ranks_[0]->weights.merger_proj.view().dtype(); }
const PreprocessorConfig& VisionModel::preprocessor() const { return ranks_[0]->preprocessor; }
size_t VisionModel::workspace_bytes() const { return ranks_[0]->workspace.num_bytes(); }

}  // namespace glyph
