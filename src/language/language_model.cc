#include "language/language_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "language/decode_steps.h"
#include "language/language_weights.h"
#include "ops/decode_batch.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/quantise.h"
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
  mutable ops::DecodeBatch batch;  // of the decode step under way on a GPU
  mutable DecodeSteps steps;
  int64_t chunk_tokens = 0;  // 0: what suits the kind of device

  // The rows of one pass through the layers.
  struct Pass {
    TensorView x;                    // (rows, hidden) f32: the residual stream
    TensorView cos, sin;             // (rows, rotary_dim / 2)
    DType activation = DType::kF32;  // of the inputs of linear layers
    DType qkv = DType::kF32;
    int64_t num_outputs = 0;  // the last rows whose hidden state is wanted after the last layer
    const ReadPauses* pauses = nullptr;

    // False: the pass is not wanted any more.
    bool go_on() const {
      if (pauses == nullptr) return true;
      if (pauses->pause) pauses->pause();
      return !pauses->stop.stop_requested();
    }
  };
  // Stores the new keys and values of a layer and attends: q (rows wanted, heads, head_dim), which are the
  // last of all rows.
  using Attend = std::function<void(int64_t layer, const ConstTensorView& q, const ConstTensorView& k,
                                    const ConstTensorView& v, const TensorView& out)>;

  Result<Tensor> read(std::span<const PromptPart> parts, const ReadPauses& pauses) const;
  Result<Tensor> decode(std::span<const NewTokens> sequences) const;
  Status check(std::span<const int32_t> ids, int64_t num_tokens_before) const;

  DType decode_activation(int64_t rows) const;
  DType input_type(int64_t rows) const;
  Pass take_pass(int64_t rows, DType activation) const;
  Pass begin_pass(std::span<const ops::TokenPosition> positions, DType activation) const;
  ops::TextRotaryOptions rotary_options() const {
    return {.theta = config.rope_theta, .sections = config.mrope_section};
  }
  Result<Tensor> decode_batch(std::span<const NewTokens> sequences) const;
  void queue_batch(const TensorView& logits) const;
  Pass begin_parts(std::span<const PromptPart> parts) const;
  void attend_parts(std::span<const PromptPart> parts, int64_t layer, const ConstTensorView& q,
                    const ConstTensorView& k, const ConstTensorView& v, const TensorView& out) const;
  void embed(const Prompt& prompt, int64_t begin, const TensorView& x) const;
  TensorView run_layers(const Pass& pass, const Attend& attend) const;
  TensorView attention_branch(const LanguageLayerWeights& layer, int64_t index, const Pass& pass,
                              const ConstTensorView& normed, int64_t wanted, const Attend& attend) const;
  Result<Tensor> logits(const ConstTensorView& normed) const;
  Result<Tensor> logits_of(const ConstTensorView& normed, std::span<const int32_t> outputs) const;
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

// Few rows cost nothing as f32, unless the weights are quantised, which meet bf16.
DType LanguageModel::Impl::decode_activation(int64_t rows) const {
  const bool exact = rows <= few_rows(device) && !is_quantised(weights.layers[0].gate_up.view().dtype());
  return exact ? DType::kF32 : input_type(rows);
}

// Of the rows that norms and SwiGLU give to linear layers: the same in all of them.
DType LanguageModel::Impl::input_type(int64_t rows) const {
  const LanguageLayerWeights& layer = weights.layers[0];
  return ops::input_type(
      compute, rows, {layer.q.view(), layer.k.view(), layer.v.view(), layer.gate_up.view(), layer.down.view()});
}

// The caller fills cos, sin and x.
LanguageModel::Impl::Pass LanguageModel::Impl::take_pass(int64_t rows, DType activation) const {
  Pass pass;
  pass.cos = workspace.take(DType::kF32, {rows, config.rotary_dim() / 2});
  pass.sin = workspace.take(DType::kF32, {rows, config.rotary_dim() / 2});
  pass.x = workspace.take(DType::kF32, {rows, config.hidden_size});
  pass.activation = activation;
  return pass;
}

LanguageModel::Impl::Pass LanguageModel::Impl::begin_pass(std::span<const ops::TokenPosition> positions,
                                                          DType activation) const {
  const Pass pass = take_pass(static_cast<int64_t>(positions.size()), activation);
  ops::text_rotary_table(device, positions, rotary_options(), pass.cos, pass.sin);
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
  const TensorView qk = qkv.slice(1, 0, hidden + kv_size).split_last(config.num_heads + config.num_kv_heads);
  ops::rotary(device, qk, pass.cos, pass.sin, ops::RotaryPairs::kInterleaved);

  const DType attended_type = is_quantised(pass.activation) ? compute : pass.activation;
  const TensorView attended = workspace.take(attended_type, {wanted, hidden});
  attend(index, q.rows(rows - wanted, rows), k, v, attended.split_last(config.num_heads));
  const TensorView branch = workspace.take(DType::kF32, {wanted, hidden});
  if (wanted > 0) ops::linear(device, attended, {.weight = layer.o.view(), .bias = {}}, branch);
  return branch;
}

// Reference: Glm4vTextDecoderLayer.forward and the final norm of Glm4vTextModel.forward. Returns the normed
// hidden states of the last num_outputs rows; of no use when the pass was stopped. After the last layer nothing but those is computed.
TensorView LanguageModel::Impl::run_layers(const Pass& pass, const Attend& attend) const {
  const int64_t hidden = config.hidden_size, inner_size = config.intermediate_size, rows = pass.x.size(0);
  TensorView x = pass.x, normed = workspace.take(pass.activation, {rows, hidden});
  TensorView result = is_quantised(pass.activation) ? workspace.take(compute, {rows, hidden}) : normed;
  ops::rms_norm(device, x, weights.layers[0].input_norm.view(), config.rms_norm_eps, normed);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    Workspace::Frame frame(workspace);
    const LanguageLayerWeights& layer = weights.layers[i];
    const bool last = i + 1 == weights.layers.size();
    const int64_t wanted = last && !observer ? pass.num_outputs : rows;
    const TensorView branch = attention_branch(layer, static_cast<int64_t>(i), pass, normed, wanted, attend);
    x = x.rows(rows - wanted, rows);
    normed = normed.rows(rows - wanted, rows);
    if (last) result = result.rows(rows - wanted, rows);
    if (!pass.go_on() || wanted == 0) break;
    ops::add_norm(device, x, branch,
                  {layer.post_attention_norm.view(), layer.mlp_norm.view(), config.rms_norm_eps}, normed);

    const TensorView inner = workspace.take(pass.activation, {wanted, inner_size});
    const ConstTensorView gate_up = layer.gate_up.view();
    ops::swiglu_linear(device, normed, gate_up.rows(0, inner_size), gate_up.rows(inner_size, 2 * inner_size),
                       inner);
    ops::linear(device, inner, {.weight = layer.down.view(), .bias = {}}, branch);
    const Tensor& next = last ? weights.norm : weights.layers[i + 1].input_norm;
    ops::add_norm(device, x, branch, {layer.post_mlp_norm.view(), next.view(), config.rms_norm_eps},
                  last ? result : normed);
    show(fmt::format("layer.{}", i), x);
    if (!last && !pass.go_on()) break;
  }
  show("norm", result);
  return result.rows(result.size(0) - pass.num_outputs, result.size(0));
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

// Only outputs become logits: rows are gathered as f32, so that a row's logits are the same beside any others.
Result<Tensor> LanguageModel::Impl::logits_of(const ConstTensorView& normed, std::span<const int32_t> outputs) const {
  const TensorView rows = workspace.take(DType::kF32, {static_cast<int64_t>(outputs.size()), config.hidden_size});
  ops::embedding(device, outputs, normed, rows);
  return logits(rows);
}

// The rows of the parts lie one after the other.
LanguageModel::Impl::Pass LanguageModel::Impl::begin_parts(std::span<const PromptPart> parts) const {
  std::vector<ops::TokenPosition> positions;
  for (const PromptPart& part : parts) {
    const auto from = part.prompt->positions.begin();
    positions.insert(positions.end(), from + part.begin, from + part.end);
  }
  Pass pass = begin_pass(positions, input_type(std::ssize(positions)));
  pass.qkv = compute;
  int64_t row = 0;
  for (const PromptPart& part : parts) {
    embed(*part.prompt, part.begin, pass.x.rows(row, row + part.num_rows()));
    row += part.num_rows();
  }
  show("embed", pass.x);
  return pass;
}

// q are the last rows of the parts: those whose attention is wanted.
void LanguageModel::Impl::attend_parts(std::span<const PromptPart> parts, int64_t layer, const ConstTensorView& q,
                                       const ConstTensorView& k, const ConstTensorView& v,
                                       const TensorView& out) const {
  std::vector<ops::DecodeRow> rows;
  int64_t row = 0;
  for (const PromptPart& part : parts) {
    const int64_t end = row + part.num_rows(), first = part.cache->num_tokens();
    rows.push_back({.kv = part.cache->layer(layer), .num_tokens = first + part.num_rows(), .num_rows = part.num_rows()});
    ops::store_kv(device, k.rows(row, end), v.rows(row, end), first, rows.back().kv);
    row = end;
  }
  if (q.size(0) == 0) return;
  if (parts.size() == 1) rows[0].num_rows = q.size(0);
  if (parts[0].num_rows() <= kShortRows) return ops::decode_attention(device, q, rows, scale(), out);
  ops::causal_attention(device, q, rows[0].kv, rows[0].num_tokens - q.size(0), scale(), out);
}

Result<Tensor> LanguageModel::Impl::read(std::span<const PromptPart> parts, const ReadPauses& pauses) const {
  std::vector<int32_t> outputs;
  int64_t num_rows = 0;
  for (const PromptPart& part : parts) {
    GLYPH_CHECK(0 <= part.begin && part.begin < part.end && part.end <= part.prompt->num_tokens());
    GLYPH_CHECK(parts.size() == 1 || part.num_rows() <= kShortRows);
    GLYPH_RETURN_IF_ERROR(part.cache->reserve(part.num_rows()));
    num_rows += part.num_rows();
    if (part.want_logits) outputs.push_back(static_cast<int32_t>(num_rows - 1));
  }
  Workspace::Frame frame(workspace);
  Pass pass = begin_parts(parts);
  if (!outputs.empty()) pass.num_outputs = num_rows - outputs.front();
  if (parts.size() > 1 && !outputs.empty()) pass.num_outputs = num_rows;
  if (device.host_memory()) pass.pauses = &pauses;
  const TensorView normed = run_layers(pass, [&](int64_t layer, const ConstTensorView& q, const ConstTensorView& k,
                                                 const ConstTensorView& v, const TensorView& out) {
    attend_parts(parts, layer, q, k, v, out);
  });
  if (pass.pauses != nullptr && pauses.stop.stop_requested()) return cancelled("reading the prompt was cancelled");
  for (const PromptPart& part : parts) {
    const Prompt& prompt = *part.prompt;
    const bool whole = part.end == prompt.num_tokens();
    part.cache->commit(part.num_rows(),
                       whole ? prompt.next_position : prompt.positions[static_cast<size_t>(part.end)].time);
  }
  if (outputs.empty()) {
    GLYPH_RETURN_IF_ERROR(device.take_status());
    return Tensor();
  }
  for (int32_t& output : outputs) output -= static_cast<int32_t>(num_rows - pass.num_outputs);
  return logits_of(normed, outputs);
}

Result<Tensor> LanguageModel::Impl::decode(std::span<const NewTokens> sequences) const {
  std::vector<int32_t> ids;
  std::vector<ops::TokenPosition> positions;
  for (const NewTokens& sequence : sequences) {
    KvCache& cache = *sequence.cache;
    GLYPH_RETURN_IF_ERROR(check(sequence.ids, cache.num_tokens()));
    GLYPH_RETURN_IF_ERROR(cache.reserve(static_cast<int64_t>(sequence.ids.size())));
    auto position = static_cast<int32_t>(cache.next_position());
    for (const int32_t id : sequence.ids) {
      ids.push_back(id);
      positions.push_back({position, position, position});
      ++position;
    }
  }
  GLYPH_CHECK(!ids.empty());
  if (!device.host_memory()) return decode_batch(sequences);
  Workspace::Frame frame(workspace);
  Pass pass = begin_pass(positions, decode_activation(std::ssize(ids)));
  pass.num_outputs = pass.x.size(0);
  ops::embedding(device, ids, weights.embedding.view(), pass.x);
  std::vector<ops::DecodeRow> rows(sequences.size());
  const TensorView normed = run_layers(pass, [&](int64_t layer, const ConstTensorView& q, const ConstTensorView& k,
                                                 const ConstTensorView& v, const TensorView& out) {
    int64_t row = 0;
    for (size_t i = 0; i < sequences.size(); ++i) {
      const KvCache& cache = *sequences[i].cache;
      const auto count = static_cast<int64_t>(sequences[i].ids.size());
      rows[i] = {.kv = cache.layer(layer), .num_tokens = cache.num_tokens() + count, .num_rows = count};
      ops::store_kv(device, k.rows(row, row + count), v.rows(row, row + count), cache.num_tokens(), rows[i].kv);
      row += count;
    }
    ops::decode_attention(device, q, rows, scale(), out);
  });
  for (const NewTokens& sequence : sequences) {
    const auto count = static_cast<int64_t>(sequence.ids.size());
    sequence.cache->commit(count, sequence.cache->next_position() + count);
  }
  return logits(normed);
}

// The same on a GPU, by steps that repeat: every new token is a row of its own, which sees the positions up to itself.
Result<Tensor> LanguageModel::Impl::decode_batch(std::span<const NewTokens> sequences) const {
  std::vector<ops::DecodeSlot> slots;
  for (const NewTokens& sequence : sequences) {
    const KvCache& cache = *sequence.cache;
    auto position = static_cast<int32_t>(cache.next_position());
    int64_t num_tokens = cache.num_tokens();
    for (const int32_t id : sequence.ids) {
      slots.push_back({.id = id,
                       .position = {position, position, position},
                       .kv = cache.layer(0),
                       .num_tokens = ++num_tokens});
      ++position;
    }
  }
  batch.set(std::move(slots), 2 * sequences[0].cache->layout().half_layer_bytes());
  const DecodeSteps::Shape shape{std::ssize(batch.slots()), batch.max_tokens()};
  GLYPH_ASSIGN_OR_RETURN(Tensor result,
                         steps.run(shape, !observer, [&](const TensorView& logits) { queue_batch(logits); }));
  for (const NewTokens& sequence : sequences) {
    const auto count = static_cast<int64_t>(sequence.ids.size());
    sequence.cache->commit(count, sequence.cache->next_position() + count);
  }
  return result;
}

// Queues the step of `batch`. What changes from step to step is read from the batch alone.
void LanguageModel::Impl::queue_batch(const TensorView& logits) const {
  Workspace::Frame frame(workspace);
  const auto num_rows = std::ssize(batch.slots());
  Pass pass = take_pass(num_rows, decode_activation(num_rows));
  pass.num_outputs = num_rows;
  ops::text_rotary_table(device, batch, rotary_options(), pass.cos, pass.sin);
  ops::embedding(device, batch, weights.embedding.view(), pass.x);
  const TensorView normed = run_layers(pass, [&](int64_t layer, const ConstTensorView& q, const ConstTensorView& k,
                                                 const ConstTensorView& v, const TensorView& out) {
    ops::store_kv(device, k, v, batch, layer);
    ops::decode_attention(device, q, batch, layer, scale(), out);
  });
  ops::linear(device, normed, {.weight = weights.head.view(), .bias = {}}, logits);
}

LanguageModel::LanguageModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LanguageModel::LanguageModel(LanguageModel&&) noexcept = default;
LanguageModel& LanguageModel::operator=(LanguageModel&&) noexcept = default;
LanguageModel::~LanguageModel() = default;

Result<LanguageModel> LanguageModel::load(Device& device, const ModelConfig& config,
                                          const Checkpoint& checkpoint, const LanguageOptions& options) {
  GLYPH_RETURN_IF_ERROR(check_precision(device, options.precision));
  const DType compute = glyph::compute_type(device, options.precision);
  const WeightLoader loader(device, checkpoint, compute, glyph::weight_type(device, options.precision));
  GLYPH_ASSIGN_OR_RETURN(LanguageWeights weights, load_language_weights(loader, config));
  GLYPH_RETURN_IF_ERROR(device.take_status());
  return LanguageModel(std::unique_ptr<Impl>(new Impl{.device = device,
                                                      .config = config.text,
                                                      .image_token_id = config.image_token_id,
                                                      .compute = compute,
                                                      .weights = std::move(weights),
                                                      .workspace = Workspace(device),
                                                      .observer = {},
                                                      .batch = ops::DecodeBatch(device),
                                                      .steps = DecodeSteps(device, config.text.vocab_size),
                                                      .chunk_tokens = 0}));
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
  const PromptPart part{.prompt = &prompt, .begin = begin, .end = end, .cache = &cache, .want_logits = want_logits};
  return impl_->read(std::span(&part, 1), {});
}

Result<Tensor> LanguageModel::read(std::span<const PromptPart> parts, const ReadPauses& pauses) const {
  return impl_->read(parts, pauses);
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
  GLYPH_CHECK(ids.size() == caches.size());
  std::vector<NewTokens> sequences;
  for (size_t i = 0; i < ids.size(); ++i) sequences.push_back({.ids = ids.subspan(i, 1), .cache = caches[i]});
  return impl_->decode(sequences);
}

Result<Tensor> LanguageModel::decode(std::span<const NewTokens> sequences) const { return impl_->decode(sequences); }

void LanguageModel::observe(StageObserver observer) { impl_->observer = std::move(observer); }
DType LanguageModel::compute_type() const { return impl_->compute; }
DType LanguageModel::weight_type() const { return impl_->weights.layers[0].gate_up.view().dtype(); }
// A GPU is full at some thousand rows; on the host a chunk should take a fraction of a second.
int64_t LanguageModel::chunk_tokens() const {
  if (impl_->chunk_tokens > 0) return impl_->chunk_tokens;
  return impl_->device.host_memory() ? 512 : 8192;
}
void LanguageModel::set_chunk_tokens(int64_t tokens) { impl_->chunk_tokens = tokens; }
int64_t LanguageModel::max_decode_rows() const { return few_rows(impl_->device); }
int64_t LanguageModel::vocab_size() const { return impl_->config.vocab_size; }
int64_t LanguageModel::max_tokens() const { return impl_->config.max_position_embeddings; }
size_t LanguageModel::workspace_bytes() const { return impl_->workspace.num_bytes(); }

}  // namespace glyph
