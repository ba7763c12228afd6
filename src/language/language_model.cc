#include "language/language_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "language/language_weights.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "tensor/workspace.h"

namespace glyph {
namespace {

// Up to this many rows a linear layer is bound by reading weights, and f32 rows cost nothing. On a GPU more rows
// need the tensor cores, which want rows of the weights' type.
int64_t few_rows(const Device& device) { return device.kind() == DeviceKind::kCuda ? 8 : 16; }

}  // namespace

struct LanguageModel::Impl {
  Device& device;
  TextConfig config;
  int32_t image_token_id;
  DType compute;
  LanguageWeights weights;
  mutable Workspace workspace;
  StageObserver observer;

  // The rows of one pass through the layers.
  struct Pass {
    TensorView x;                    // (rows, hidden) f32: the residual stream
    ConstTensorView cos, sin;        // (rows, rotary_dim / 2)
    DType activation = DType::kF32;  // of the inputs of linear layers
    DType qkv = DType::kF32;
    int64_t num_outputs = 0;  // the last rows whose hidden state is wanted after the last layer
  };
  // Stores the new keys and values of a layer and attends: q (rows wanted, heads, head_dim), which are the
  // last of all rows.
  using Attend = std::function<void(int64_t layer, const ConstTensorView& q, const ConstTensorView& k,
                                    const ConstTensorView& v, const TensorView& out)>;

  Result<Tensor> read(const Prompt& prompt, int64_t begin, int64_t end, KvCache& cache,
                      bool want_logits) const;
  Result<Tensor> decode(std::span<const int32_t> ids, std::span<KvCache* const> caches) const;
  Status check(std::span<const int32_t> ids, int64_t num_tokens_before) const;

  Pass begin_pass(std::span<const ops::TokenPosition> positions) const;
  void embed(const Prompt& prompt, int64_t begin, const TensorView& x) const;
  TensorView run_layers(const Pass& pass, const Attend& attend) const;
  TensorView attention_branch(const LanguageLayerWeights& layer, int64_t index, const Pass& pass,
                              const ConstTensorView& normed, int64_t wanted, const Attend& attend) const;
  Result<Tensor> logits(const ConstTensorView& normed) const;
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(config.head_dim())); }
  void show(std::string_view stage, const ConstTensorView& values) const {
    show_stage(observer, device, stage, values);
  }
};

Status LanguageModel::Impl::check(std::span<const int32_t> ids, int64_t num_tokens_before) const {
  for (const int32_t id : ids) {
    if (id < 0 || id >= config.vocab_size) {
      return refused(
          fmt::format("token id {} is outside the model's vocabulary of {}", id, config.vocab_size));
    }
  }
  const int64_t total = num_tokens_before + static_cast<int64_t>(ids.size());
  if (total > config.max_position_embeddings) {
    return refused(fmt::format("the prompt has {} tokens, {} more than the model's context window of {}",
                               total, total - config.max_position_embeddings,
                               config.max_position_embeddings));
  }
  return {};
}

LanguageModel::Impl::Pass LanguageModel::Impl::begin_pass(
    std::span<const ops::TokenPosition> positions) const {
  const auto rows = static_cast<int64_t>(positions.size());
  const TensorView cos = workspace.take(DType::kF32, {rows, config.rotary_dim() / 2});
  const TensorView sin = workspace.take(DType::kF32, {rows, config.rotary_dim() / 2});
  ops::text_rotary_table(device, positions, {.theta = config.rope_theta, .sections = config.mrope_section},
                         cos, sin);
  Pass pass{.x = workspace.take(DType::kF32, {rows, config.hidden_size}), .cos = cos, .sin = sin};
  pass.activation = rows <= few_rows(device) ? DType::kF32 : compute;
  return pass;
}

// Rows [begin, begin + rows of x) of the prompt: features where its pages stand, token embeddings elsewhere.
// Reference: Glm4vModel.forward (masked_scatter).
void LanguageModel::Impl::embed(const Prompt& prompt, int64_t begin, const TensorView& x) const {
  const int64_t end = begin + x.size(0);
  int64_t row = begin;
  const auto embed_text = [&](int64_t to) {
    if (row < to) {
      ops::embedding(device, prompt.ids.subspan(static_cast<size_t>(row), static_cast<size_t>(to - row)),
                     weights.embedding.view(), x.rows(row - begin, to - begin));
    }
    row = std::max(row, to);
  };
  std::vector<int32_t> indices;
  for (size_t i = 0; i < prompt.pages.size(); ++i) {
    const int64_t page_begin = prompt.feature_begin[i], page_end = page_begin + prompt.pages[i]->num_tokens();
    const int64_t from = std::max(begin, page_begin), to = std::min(end, page_end);
    if (from >= to) continue;
    embed_text(from);
    indices.clear();
    for (int64_t token = from; token < to; ++token)
      indices.push_back(static_cast<int32_t>(token - page_begin));
    ops::embedding(device, indices, prompt.pages[i]->values.view(), x.rows(from - begin, to - begin));
    row = to;
  }
  embed_text(end);
  show("embed", x);
}

// Reference: Glm4vTextAttention.forward. The branch (wanted, hidden) f32, before its norm.
TensorView LanguageModel::Impl::attention_branch(const LanguageLayerWeights& layer, int64_t index,
                                                 const Pass& pass, const ConstTensorView& normed,
                                                 int64_t wanted, const Attend& attend) const {
  const int64_t rows = normed.size(0), hidden = config.hidden_size,
                kv_size = config.num_kv_heads * config.head_dim();
  const TensorView qkv = workspace.take(pass.qkv, {rows, hidden + 2 * kv_size});
  const std::vector<ConstTensorView>& bias = layer.qkv_bias.views;
  const ops::LinearPart parts[] = {
      {layer.q.view(), bias[0]}, {layer.k.view(), bias[1]}, {layer.v.view(), bias[2]}};
  ops::linear(device, normed, parts, qkv);
  const TensorView q = qkv.slice(1, 0, hidden).split_last(config.num_heads);
  const TensorView k = qkv.slice(1, hidden, hidden + kv_size).split_last(config.num_kv_heads);
  const TensorView v = qkv.slice(1, hidden + kv_size, hidden + 2 * kv_size).split_last(config.num_kv_heads);
  ops::rotary(device, q, pass.cos, pass.sin, ops::RotaryPairs::kInterleaved);
  ops::rotary(device, k, pass.cos, pass.sin, ops::RotaryPairs::kInterleaved);

  const TensorView attended = workspace.take(pass.activation, {wanted, hidden});
  attend(index, q.rows(rows - wanted, rows), k, v, attended.split_last(config.num_heads));
  const TensorView branch = workspace.take(DType::kF32, {wanted, hidden});
  if (wanted > 0) ops::linear(device, attended, {.weight = layer.o.view(), .bias = {}}, branch);
  return branch;
}

// Reference: Glm4vTextDecoderLayer.forward and the final norm of Glm4vTextModel.forward. Returns the normed
// hidden states of the last num_outputs rows. After the last layer nothing but those is computed.
TensorView LanguageModel::Impl::run_layers(const Pass& pass, const Attend& attend) const {
  const int64_t hidden = config.hidden_size, inner_size = config.intermediate_size, rows = pass.x.size(0);
  TensorView x = pass.x, normed = workspace.take(pass.activation, {rows, hidden});
  ops::rms_norm(device, x, weights.layers[0].input_norm.view(), config.rms_norm_eps, normed);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    Workspace::Frame frame(workspace);
    const LanguageLayerWeights& layer = weights.layers[i];
    const bool last = i + 1 == weights.layers.size();
    const int64_t wanted = last && !observer ? pass.num_outputs : rows;
    const TensorView branch = attention_branch(layer, static_cast<int64_t>(i), pass, normed, wanted, attend);
    x = x.rows(rows - wanted, rows);
    normed = normed.rows(rows - wanted, rows);
    if (wanted == 0) break;
    ops::add_norm(device, x, branch,
                  {layer.post_attention_norm.view(), layer.mlp_norm.view(), config.rms_norm_eps}, normed);

    const TensorView inner = workspace.take(pass.activation, {wanted, inner_size});
    const ConstTensorView gate_up = layer.gate_up.view();
    ops::swiglu_linear(device, normed, gate_up.rows(0, inner_size), gate_up.rows(inner_size, 2 * inner_size),
                       inner);
    ops::linear(device, inner, {.weight = layer.down.view(), .bias = {}}, branch);
    const Tensor& next = last ? weights.norm : weights.layers[i + 1].input_norm;
    ops::add_norm(device, x, branch, {layer.post_mlp_norm.view(), next.view(), config.rms_norm_eps}, normed);
    show(fmt::format("layer.{}", i), x);
  }
  show("norm", normed);
  return normed.rows(normed.size(0) - pass.num_outputs, normed.size(0));
}

// In host memory, where tokens are chosen. Waits for the pass on a GPU, whose errors show here.
Result<Tensor> LanguageModel::Impl::logits(const ConstTensorView& normed) const {
  const Shape shape{normed.size(0), config.vocab_size};
  if (device.host_memory()) {
    Tensor result(device, DType::kF32, shape);
    ops::linear(device, normed, {.weight = weights.head.view(), .bias = {}}, result.view());
    return result;
  }
  Workspace::Frame frame(workspace);
  const TensorView there = workspace.take(DType::kF32, shape);
  ops::linear(device, normed, {.weight = weights.head.view(), .bias = {}}, there);
  Tensor result = host_copy(device, there);
  GLYPH_RETURN_IF_ERROR(device.take_status());
  return result;
}

Result<Tensor> LanguageModel::Impl::read(const Prompt& prompt, int64_t begin, int64_t end, KvCache& cache,
                                         bool want_logits) const {
  GLYPH_CHECK(0 <= begin && begin < end && end <= prompt.num_tokens());
  GLYPH_RETURN_IF_ERROR(cache.reserve(end - begin));
  Workspace::Frame frame(workspace);
  const auto positions =
      std::span(prompt.positions).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  Pass pass = begin_pass(positions);
  pass.qkv = compute;
  pass.num_outputs = want_logits ? 1 : 0;
  embed(prompt, begin, pass.x);
  const int64_t first = cache.num_tokens(), rows = end - begin;
  const TensorView normed =
      run_layers(pass, [&](int64_t layer, const ConstTensorView& q, const ConstTensorView& k,
                           const ConstTensorView& v, const TensorView& out) {
        const ops::KvLayer kv = cache.layer(layer);
        ops::store_kv(device, k, v, first, kv);
        ops::causal_attention(device, q, kv, first + rows - q.size(0), scale(), out);
      });
  const bool whole = end == prompt.num_tokens();
  cache.commit(rows, whole ? prompt.next_position : prompt.positions[static_cast<size_t>(end)].time);
  if (want_logits) return logits(normed);
  GLYPH_RETURN_IF_ERROR(device.take_status());
  return Tensor();
}

Result<Tensor> LanguageModel::Impl::decode(std::span<const int32_t> ids,
                                           std::span<KvCache* const> caches) const {
  GLYPH_CHECK(!ids.empty() && ids.size() == caches.size());
  std::vector<ops::TokenPosition> positions;
  for (size_t i = 0; i < ids.size(); ++i) {
    GLYPH_RETURN_IF_ERROR(check(ids.subspan(i, 1), caches[i]->num_tokens()));
    GLYPH_RETURN_IF_ERROR(caches[i]->reserve(1));
    const auto position = static_cast<int32_t>(caches[i]->next_position());
    positions.push_back({position, position, position});
  }
  Workspace::Frame frame(workspace);
  Pass pass = begin_pass(positions);
  pass.num_outputs = pass.x.size(0);
  ops::embedding(device, ids, weights.embedding.view(), pass.x);
  std::vector<ops::DecodeRow> rows(caches.size());
  const TensorView normed = run_layers(pass, [&](int64_t layer, const ConstTensorView& q,
                                                 const ConstTensorView& k, const ConstTensorView& v,
                                                 const TensorView& out) {
    for (size_t i = 0; i < caches.size(); ++i) {
      const auto row = static_cast<int64_t>(i);
      rows[i] = {.kv = caches[i]->layer(layer), .num_tokens = caches[i]->num_tokens() + 1};
      ops::store_kv(device, k.rows(row, row + 1), v.rows(row, row + 1), caches[i]->num_tokens(), rows[i].kv);
    }
    ops::decode_attention(device, q, rows, scale(), out);
  });
  for (KvCache* cache : caches) cache->commit(1, cache->next_position() + 1);
  return logits(normed);
}

LanguageModel::LanguageModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LanguageModel::LanguageModel(LanguageModel&&) noexcept = default;
LanguageModel& LanguageModel::operator=(LanguageModel&&) noexcept = default;
LanguageModel::~LanguageModel() = default;

Result<LanguageModel> LanguageModel::load(Device& device, const ModelConfig& config,
                                          const Checkpoint& checkpoint, const LanguageOptions& options) {
  const DType compute = glyph::compute_type(device, options.precision);
  const WeightLoader loader(device, checkpoint, compute);
  GLYPH_ASSIGN_OR_RETURN(LanguageWeights weights, load_language_weights(loader, config));
  GLYPH_RETURN_IF_ERROR(device.take_status());
  return LanguageModel(std::unique_ptr<Impl>(new Impl{.device = device,
                                                      .config = config.text,
                                                      .image_token_id = config.image_token_id,
                                                      .compute = compute,
                                                      .weights = std::move(weights),
                                                      .workspace = Workspace(device),
                                                      .observer = {}}));
}

KvLayout LanguageModel::kv_layout(int64_t block_tokens) const {
  const TextConfig& t = impl_->config;
  return {.num_layers = t.num_layers,
          .num_kv_heads = t.num_kv_heads,
          .head_dim = t.head_dim(),
          .block_tokens = block_tokens,
          .dtype = impl_->compute};
}

Result<Prompt> LanguageModel::begin_prefill(std::span<const int32_t> ids,
                                            std::span<const PageFeatures* const> pages,
                                            const KvCache& cache) const {
  if (ids.empty()) return refused("the prompt is empty");
  GLYPH_RETURN_IF_ERROR(impl_->check(ids, cache.num_tokens()));
  for (const PageFeatures* page : pages) GLYPH_CHECK(page->values.shape()[1] == impl_->config.hidden_size);
  return make_prompt(ids, pages, impl_->image_token_id, cache.next_position());
}

Result<Tensor> LanguageModel::read(const Prompt& prompt, int64_t begin, int64_t end, KvCache& cache,
                                   bool want_logits) const {
  return impl_->read(prompt, begin, end, cache, want_logits);
}

Result<Tensor> LanguageModel::prefill(std::span<const int32_t> ids,
                                      std::span<const PageFeatures* const> pages, KvCache& cache,
                                      const PrefillOptions& options) const {
  GLYPH_CHECK(options.chunk_tokens >= 0);
  GLYPH_ASSIGN_OR_RETURN(const Prompt prompt, begin_prefill(ids, pages, cache));
  const int64_t tokens_before = cache.num_tokens(), position_before = cache.next_position();
  Result<Tensor> logits = read_all(prompt, cache, options);
  if (!logits.ok()) cache.truncate(tokens_before, position_before);
  return logits;
}

Result<Tensor> LanguageModel::read_all(const Prompt& prompt, KvCache& cache,
                                       const PrefillOptions& options) const {
  const int64_t total = prompt.num_tokens();
  const int64_t chunk = options.chunk_tokens > 0 ? options.chunk_tokens : chunk_tokens();
  for (int64_t begin = 0;;) {
    if (options.stop.stop_requested()) return cancelled("reading the prompt was cancelled");
    const int64_t end = std::min(total, begin + chunk);
    GLYPH_ASSIGN_OR_RETURN(Tensor logits, read(prompt, begin, end, cache, end == total));
    if (options.progress) options.progress(end, total);
    if (end == total) return Tensor(std::move(logits));
    begin = end;
  }
}

Result<Tensor> LanguageModel::decode(std::span<const int32_t> ids, std::span<KvCache* const> caches) const {
  return impl_->decode(ids, caches);
}

void LanguageModel::observe(StageObserver observer) { impl_->observer = std::move(observer); }
DType LanguageModel::compute_type() const { return impl_->compute; }
// A GPU is full at some thousand rows; on the host a chunk should take a fraction of a second.
int64_t LanguageModel::chunk_tokens() const { return impl_->device.host_memory() ? 512 : 8192; }
int64_t LanguageModel::vocab_size() const { return impl_->config.vocab_size; }
int64_t LanguageModel::max_tokens() const { return impl_->config.max_position_embeddings; }
size_t LanguageModel::workspace_bytes() const { return impl_->workspace.num_bytes(); }

}  // namespace glyph
