#include "language/language_rank.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/quantise.h"

namespace glyph {
namespace {

// Up to this many rows a linear layer is bound by reading weights, and f32 rows cost nothing. On a GPU more rows
// need the tensor cores, which want rows of the weights' type.
int64_t few_rows(const Device& device) { return device.kind() == DeviceKind::kCuda ? 8 : 16; }

constexpr int64_t kRowsToCut = 1024;  // of a pass whose sums take longer than it costs to multiply its rows in two halves
constexpr int64_t kRowUnit = 128;     // of a tile of a matrix product
constexpr int64_t kManyRows = 64;  // of a pass whose sums are bound by the connection and not by its latency

}  // namespace

LanguageRank::LanguageRank(DeviceGroup& group, int rank, const ModelConfig& config, DType compute, bool on_host, LanguageWeights weights)
    : group_(group),
      rank_(rank),
      device_(group.device(rank)),
      communicator_(group.size() > 1 ? &group.communicator(rank) : nullptr),
      config_(config.text),
      share_(language_share(config.text, rank, group.size())),
      compute_(compute),
      on_host_(on_host),
      weights_(std::move(weights)),
      workspace_(device_),
      batch_(device_),
      steps_(device_, share_.vocab.size()) {}

Result<std::unique_ptr<LanguageRank>> LanguageRank::load(DeviceGroup& group, int rank, const ModelConfig& config,
                                                         const Checkpoint& checkpoint, const LanguageOptions& options) {
  Device& device = group.device(rank);
  const DType compute = compute_type(device, options.precision);
  const WeightLoader loader(device, checkpoint, compute, glyph::weight_type(device, options.precision));
  GLYPH_ASSIGN_OR_RETURN(LanguageWeights weights, load_language_weights(loader, config, rank, group.size()));
  GLYPH_RETURN_IF_ERROR(device.take_status());
  const bool on_host = device.host_memory() && !options.as_on_gpu;
  return std::unique_ptr<LanguageRank>(new LanguageRank(group, rank, config, compute, on_host, std::move(weights)));
}

int64_t LanguageRank::max_decode_rows() const { return few_rows(device_); }

void LanguageRank::observe(StageObserver observer, bool observed) {
  observer_ = std::move(observer);
  observed_ = observed;
}

// Few rows cost nothing as f32, unless the weights are quantised, which meet bf16.
DType LanguageRank::decode_activation(int64_t rows) const {
  const bool exact = rows <= few_rows(device_) && !is_quantised(weight_type());
  return exact ? DType::kF32 : input_type(rows);
}

// Of the rows that norms and SwiGLU give to linear layers: the same in all of them.
DType LanguageRank::input_type(int64_t rows) const {
  const LanguageLayerWeights& layer = weights_.layers[0];
  return ops::input_type(compute_, rows, {layer.q.view(), layer.k.view(), layer.v.view(), layer.gate.view(), layer.down.view()});
}

// The caller fills cos, sin and x.
LanguageRank::Pass LanguageRank::take_pass(int64_t rows, DType activation) {
  Pass pass;
  pass.cos = workspace_.take(DType::kF32, {rows, config_.rotary_dim() / 2});
  pass.sin = workspace_.take(DType::kF32, {rows, config_.rotary_dim() / 2});
  pass.x = workspace_.take(DType::kF32, {rows, config_.hidden_size});
  pass.activation = activation;
  // Many rows take their time on the way between GPUs, and through memory: half of it in bf16, in which a single GPU would have rounded
  // them later. With quantised weights that is little beside the rounding of what was multiplied.
  const bool many = device_.kind() == DeviceKind::kCuda && rows > kManyRows;
  if (many && compute_ == DType::kBF16 && (communicator_ != nullptr || is_quantised(weight_type()))) pass.branch = DType::kBF16;
  return pass;
}

LanguageRank::Pass LanguageRank::begin_pass(std::span<const ops::TokenPosition> positions, DType activation) {
  const Pass pass = take_pass(static_cast<int64_t>(positions.size()), activation);
  ops::text_rotary_table(device_, positions, rotary_options(), pass.cos, pass.sin);
  return pass;
}

// Rows [begin, begin + rows of x) of the prompt: features where its pages stand, token embeddings elsewhere.
// Reference: Glm4vModel.forward (masked_scatter).
void LanguageRank::embed(const Prompt& prompt, int64_t begin, const TensorView& x) const {
  const int64_t end = begin + x.size(0);
  int64_t row = begin;
  const auto embed_text = [&](int64_t to) {
    if (row < to) {
      ops::embedding(device_, prompt.ids.subspan(static_cast<size_t>(row), static_cast<size_t>(to - row)),
                     weights_.embedding.view(), x.rows(row - begin, to - begin));
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
    ops::embedding(device_, indices, prompt.pages[i]->values.view(), x.rows(from - begin, to - begin));
    row = to;
  }
  embed_text(end);
}

// Rank 0 has filled x.
void LanguageRank::share(const TensorView& x) const {
  if (communicator_ != nullptr) communicator_->broadcast(x);
}

// The end of a branch, on all of its rows.
struct LanguageRank::BranchEnd {
  const Weight& matrix;         // (hidden, width of the input)
  TensorView branch;            // (rows, hidden): where it is for a moment
  ops::AddNormWeights norms;
  TensorView x;                 // (rows, hidden): what it is added to
  TensorView out;               // (rows, hidden): its sum with x, normed
};

// What a branch did inside goes through its last matrix, the ranks' parts are summed, and x takes it in. Of many rows one half is
// summed while the other is multiplied or normed.
void LanguageRank::end_branch(const ConstTensorView& input, const BranchEnd& end) const {
  const int64_t rows = input.size(0);
  const bool cut = communicator_ != nullptr && rows >= kRowsToCut;
  const int64_t middle = cut ? (rows / 2 + kRowUnit - 1) / kRowUnit * kRowUnit : rows;
  const std::array<Slice, 2> halves{Slice{0, middle}, Slice{middle, rows}};
  const std::span<const Slice> pieces = std::span(halves).first(cut ? 2 : 1);
  for (const Slice& piece : pieces) {
    const TensorView branch = end.branch.rows(piece.begin, piece.end);
    ops::linear(device_, input.rows(piece.begin, piece.end), {.weight = end.matrix.view(), .bias = {}}, branch);
    if (cut) communicator_->begin_all_reduce(branch);
  }
  if (communicator_ != nullptr && !cut) {
    if (communicator_->all_reduce_add_norm({end.branch, end.norms.branch, end.norms.next, end.norms.eps, end.x, end.out})) return;
    communicator_->all_reduce(end.branch);
  }
  for (const Slice& piece : pieces) {
    if (cut) communicator_->finish_all_reduce();
    ops::add_norm(device_, end.x.rows(piece.begin, piece.end), end.branch.rows(piece.begin, piece.end), end.norms,
                  end.out.rows(piece.begin, piece.end));
  }
}

// Reference: Glm4vTextAttention.forward without o_proj: (wanted, heads * head_dim).
TensorView LanguageRank::attention(const LanguageLayerWeights& layer, int64_t index, const Pass& pass,
                                   const ConstTensorView& normed, int64_t wanted, const Attend& attend) {
  const int64_t rows = normed.size(0), dim = config_.head_dim(), num_heads = share_.heads.size(), num_kv_heads = share_.kv_heads.size();
  const int64_t q_size = num_heads * dim, kv_size = num_kv_heads * dim;
  const TensorView qkv = workspace_.take(pass.qkv, {rows, q_size + 2 * kv_size});
  const std::vector<ConstTensorView>& bias = layer.qkv_bias.views;
  const ops::LinearPart parts[] = {
      {layer.q.view(), bias[0]}, {layer.k.view(), bias[1]}, {layer.v.view(), bias[2]}};
  const TensorView q = qkv.slice(1, 0, q_size).split_last(num_heads);
  const TensorView k = qkv.slice(1, q_size, q_size + kv_size).split_last(num_kv_heads);
  const TensorView v = qkv.slice(1, q_size + kv_size, q_size + 2 * kv_size).split_last(num_kv_heads);
  if (pass.batch != nullptr) {
    ops::project_heads(device_, normed, {parts[0], parts[1], parts[2], pass.cos, pass.sin}, *pass.batch, index, qkv);
  } else {
    const TensorView qk = qkv.slice(1, 0, q_size + kv_size).split_last(num_heads + num_kv_heads);
    ops::linear(device_, normed, parts, qkv);
    ops::rotary(device_, qk, pass.cos, pass.sin, ops::RotaryPairs::kInterleaved);
  }

  const DType attended_type = is_quantised(pass.activation) ? compute_ : pass.activation;
  const TensorView attended = workspace_.take(attended_type, {wanted, q_size});
  attend(index, q.rows(rows - wanted, rows), k, v, attended.split_last(num_heads));
  return attended;
}

// Reference: Glm4vTextDecoderLayer.forward and the final norm of Glm4vTextModel.forward. Returns the normed
// hidden states of the last num_outputs rows; of no use when the pass was stopped. After the last layer nothing but those is computed.
TensorView LanguageRank::run_layers(const Pass& pass, const Attend& attend) {
  const int64_t hidden = config_.hidden_size, rows = pass.x.size(0);
  TensorView x = pass.x, normed = workspace_.take(pass.activation, {rows, hidden});
  TensorView result = is_quantised(pass.activation) ? workspace_.take(compute_, {rows, hidden}) : normed;
  ops::rms_norm(device_, x, weights_.layers[0].input_norm.view(), config_.rms_norm_eps, normed);
  for (size_t i = 0; i < weights_.layers.size(); ++i) {
    Workspace::Frame frame(workspace_);
    const LanguageLayerWeights& layer = weights_.layers[i];
    const bool last = i + 1 == weights_.layers.size();
    const int64_t wanted = last && !observed_ ? pass.num_outputs : rows;
    const TensorView attended = attention(layer, static_cast<int64_t>(i), pass, normed, wanted, attend);
    x = x.rows(rows - wanted, rows);
    normed = normed.rows(rows - wanted, rows);
    if (last) result = result.rows(rows - wanted, rows);
    if (!pass.go_on() || wanted == 0) break;
    const TensorView branch = workspace_.take(pass.branch, {wanted, hidden});
    end_branch(attended, {.matrix = layer.o,
                          .branch = branch,
                          .norms = {layer.post_attention_norm.view(), layer.mlp_norm.view(), config_.rms_norm_eps},
                          .x = x,
                          .out = normed});

    const TensorView inner = workspace_.take(pass.activation, {wanted, share_.inner.size()});
    ops::swiglu_linear(device_, normed, layer.gate.view(), layer.up.view(), inner);
    const Tensor& next = last ? weights_.norm : weights_.layers[i + 1].input_norm;
    end_branch(inner, {.matrix = layer.down,
                       .branch = branch,
                       .norms = {layer.post_mlp_norm.view(), next.view(), config_.rms_norm_eps},
                       .x = x,
                       .out = last ? result : normed});
    show(fmt::format("layer.{}", i), x);
    if (!last && !pass.go_on()) break;
  }
  show("norm", result);
  return result.rows(result.size(0) - pass.num_outputs, result.size(0));
}

// Whether the pass was queued on all ranks. A rank that failed has left out sums that the others wait for.
Status LanguageRank::agree() {
  const Status status = group_.agree(rank_, device_.take_status());
  return status.ok() ? status : group_.give_up(status);
}

// To where tokens are chosen. The only thing that waits for a pass on a GPU, whose errors show here.
Status LanguageRank::take_top(const DeviceLogits& logits, std::span<ops::TopLogits> top) {
  GLYPH_RETURN_IF_ERROR(agree());
  last_ = &logits;
  device_.download(top.data(), logits.top.view().raw(), top.size_bytes());
  return device_.take_status();
}

Status LanguageRank::fetch(int64_t row, std::span<float> to) {
  const std::span<float> own = to.subspan(static_cast<size_t>(share_.vocab.begin), static_cast<size_t>(share_.vocab.size()));
  device_.download(own.data(), last_->all.view().row<float>(row), own.size_bytes());
  return device_.take_status();
}

void LanguageRank::queue_logits(const ConstTensorView& normed, DeviceLogits& logits) {
  ops::linear(device_, normed, {.weight = weights_.head.view(), .bias = {}}, logits.all.view());
  ops::top_logits(device_, logits.all.view(), logits.top.view());
}

Status LanguageRank::logits_of(const ConstTensorView& normed, const LogitsPlace& logits) {
  if (on_host_) {
    const TensorView columns = logits.all.slice(1, share_.vocab.begin, share_.vocab.end);
    ops::linear(device_, normed, {.weight = weights_.head.view(), .bias = {}}, columns);
    return agree();
  }
  read_ = DeviceLogits(device_, normed.size(0), share_.vocab.size());
  queue_logits(normed, read_);
  return take_top(read_, logits.top);
}

// The rows of the parts lie one after the other.
LanguageRank::Pass LanguageRank::begin_parts(std::span<const PromptPart> parts) {
  std::vector<ops::TokenPosition> positions;
  for (const PromptPart& part : parts) {
    const auto from = part.prompt->positions.begin();
    positions.insert(positions.end(), from + part.begin, from + part.end);
  }
  Pass pass = begin_pass(positions, input_type(std::ssize(positions)));
  pass.qkv = compute_;
  int64_t row = 0;
  for (const PromptPart& part : parts) {
    if (rank_ == 0) embed(*part.prompt, part.begin, pass.x.rows(row, row + part.num_rows()));
    row += part.num_rows();
  }
  share(pass.x);
  show("embed", pass.x);
  return pass;
}

// q are the last rows of the parts: those whose attention is wanted.
void LanguageRank::attend_parts(std::span<const PromptPart> parts, int64_t layer, const ConstTensorView& q,
                                const ConstTensorView& k, const ConstTensorView& v, const TensorView& out) const {
  std::vector<ops::DecodeRow> rows;
  int64_t row = 0;
  for (const PromptPart& part : parts) {
    const int64_t end = row + part.num_rows(), first = part.cache->num_tokens();
    rows.push_back({.kv = part.cache->layer(layer, rank_), .num_tokens = first + part.num_rows(), .num_rows = part.num_rows()});
    ops::store_kv(device_, k.rows(row, end), v.rows(row, end), first, rows.back().kv);
    row = end;
  }
  if (q.size(0) == 0) return;
  if (parts.size() == 1) rows[0].num_rows = q.size(0);
  if (parts[0].num_rows() <= LanguageModel::kShortRows) return ops::decode_attention(device_, q, rows, scale(), out);
  ops::causal_attention(device_, q, rows[0].kv, rows[0].num_tokens - q.size(0), scale(), out);
}

// Only outputs become logits: rows are gathered as f32, so that a row's logits are the same beside any others.
Status LanguageRank::read(std::span<const PromptPart> parts, std::span<const int32_t> outputs, const ReadPauses& pauses,
                          const LogitsPlace& logits) {
  Workspace::Frame frame(workspace_);
  Pass pass = begin_parts(parts);
  const int64_t num_rows = pass.x.size(0);
  if (!outputs.empty()) pass.num_outputs = parts.size() > 1 ? num_rows : num_rows - outputs.front();
  if (on_host_ && communicator_ == nullptr) pass.pauses = &pauses;
  const TensorView normed = run_layers(pass, [&](int64_t layer, const ConstTensorView& q, const ConstTensorView& k,
                                                 const ConstTensorView& v, const TensorView& out) {
    attend_parts(parts, layer, q, k, v, out);
  });
  if (pass.pauses != nullptr && pauses.stop.stop_requested()) return cancelled("reading the prompt was cancelled");
  if (outputs.empty()) return agree();
  std::vector<int32_t> wanted(outputs.begin(), outputs.end());
  for (int32_t& output : wanted) output -= static_cast<int32_t>(num_rows - pass.num_outputs);
  const TensorView rows = workspace_.take(DType::kF32, {std::ssize(wanted), config_.hidden_size});
  ops::embedding(device_, wanted, normed, rows);
  return logits_of(rows, logits);
}

Status LanguageRank::decode(std::span<const NewTokens> sequences, const LogitsPlace& logits) {
  if (!on_host_) return decode_batch(sequences, logits.top);
  std::vector<int32_t> ids;
  std::vector<ops::TokenPosition> positions;
  for (const NewTokens& sequence : sequences) {
    auto position = static_cast<int32_t>(sequence.cache->next_position());
    for (const int32_t id : sequence.ids) {
      ids.push_back(id);
      positions.push_back({position, position, position});
      ++position;
    }
  }
  Workspace::Frame frame(workspace_);
  Pass pass = begin_pass(positions, decode_activation(std::ssize(ids)));
  pass.num_outputs = pass.x.size(0);
  if (rank_ == 0) ops::embedding(device_, ids, weights_.embedding.view(), pass.x);
  share(pass.x);
  std::vector<ops::DecodeRow> rows(sequences.size());
  const TensorView normed = run_layers(pass, [&](int64_t layer, const ConstTensorView& q, const ConstTensorView& k,
                                                 const ConstTensorView& v, const TensorView& out) {
    int64_t row = 0;
    for (size_t i = 0; i < sequences.size(); ++i) {
      const KvCache& cache = *sequences[i].cache;
      const auto count = static_cast<int64_t>(sequences[i].ids.size());
      rows[i] = {.kv = cache.layer(layer, rank_), .num_tokens = cache.num_tokens() + count, .num_rows = count};
      ops::store_kv(device_, k.rows(row, row + count), v.rows(row, row + count), cache.num_tokens(), rows[i].kv);
      row += count;
    }
    ops::decode_attention(device_, q, rows, scale(), out);
  });
  return logits_of(normed, logits);
}

// The same on a GPU, by steps that repeat: every new token is a row of its own, which sees the positions up to itself.
Status LanguageRank::decode_batch(std::span<const NewTokens> sequences, std::span<ops::TopLogits> top) {
  std::vector<ops::DecodeSlot> slots;
  for (const NewTokens& sequence : sequences) {
    const KvCache& cache = *sequence.cache;
    auto position = static_cast<int32_t>(cache.next_position());
    int64_t num_tokens = cache.num_tokens();
    for (const int32_t id : sequence.ids) {
      slots.push_back({.id = id,
                       .position = {position, position, position},
                       .kv = cache.layer(0, rank_),
                       .num_tokens = ++num_tokens});
      ++position;
    }
  }
  batch_.set(std::move(slots), 2 * sequences[0].cache->layout().half_layer_bytes());
  const DecodeSteps::Shape shape{std::ssize(batch_.slots()), batch_.max_tokens()};
  return take_top(steps_.queue(shape, !observed_, [&](DeviceLogits& logits) { queue_batch(logits); }), top);
}

// Queues the step of `batch_`. What changes from step to step is read from the batch alone.
void LanguageRank::queue_batch(DeviceLogits& logits) {
  Workspace::Frame frame(workspace_);
  const auto num_rows = std::ssize(batch_.slots());
  Pass pass = take_pass(num_rows, decode_activation(num_rows));
  pass.num_outputs = num_rows;
  pass.batch = &batch_;
  ops::text_rotary_table(device_, batch_, rotary_options(), pass.cos, pass.sin);
  if (rank_ == 0) ops::embedding(device_, batch_, weights_.embedding.view(), pass.x);
  share(pass.x);
  const TensorView normed = run_layers(pass, [&](int64_t layer, const ConstTensorView& q, const ConstTensorView&,
                                                 const ConstTensorView&, const TensorView& out) {
    ops::decode_attention(device_, q, batch_, layer, scale(), out);
  });
  queue_logits(normed, logits);
}

}  // namespace glyph
