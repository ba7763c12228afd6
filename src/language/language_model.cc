#include "language/language_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "language/language_rank.h"

namespace glyph {
namespace {

// What the ranks found largest in their columns, row by row.
std::vector<ops::TopLogits> merged(const std::vector<std::vector<ops::TopLogits>>& tops, std::span<const int64_t> first_ids) {
  if (tops.size() == 1) return tops[0];
  std::vector<ops::TopLogits> rows, pieces(tops.size());
  for (size_t row = 0; row < tops[0].size(); ++row) {
    for (size_t rank = 0; rank < tops.size(); ++rank) pieces[rank] = tops[rank][row];
    rows.push_back(ops::merge(pieces, first_ids));
  }
  return rows;
}

}  // namespace

struct LanguageModel::Impl {
  std::unique_ptr<DeviceGroup> own_group;  // where the caller has none
  DeviceGroup& group;
  TextConfig config;
  int32_t image_token_id;
  DType compute;
  DType kv;
  std::vector<std::unique_ptr<LanguageRank>> ranks;
  int64_t chunk_tokens = 0;  // 0: what suits the kind of device
  uint64_t num_passes = 0;   // that were begun

  // Logits of so many rows, from a pass that every rank does.
  using RankPass = std::function<Status(LanguageRank& rank, const LogitsPlace& logits)>;
  Result<Logits> run(int64_t num_rows, const RankPass& pass);
  Status fetch(int64_t row, std::span<float> to) const;
  Result<Logits> read(std::span<const PromptPart> parts, const ReadPauses& pauses);
  Result<Logits> decode(std::span<const NewTokens> sequences);
  Status check(std::span<const int32_t> ids, int64_t num_tokens_before) const;
  Status load(const ModelConfig& model, const Checkpoint& checkpoint, const LanguageOptions& options);
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

// Every rank reads its share of the weights at the same time.
Status LanguageModel::Impl::load(const ModelConfig& model, const Checkpoint& checkpoint, const LanguageOptions& options) {
  ranks.resize(static_cast<size_t>(group.size()));
  return group.run([&](int rank) -> Status {
    Result<std::unique_ptr<LanguageRank>> loaded = LanguageRank::load(group, rank, model, checkpoint, options);
    GLYPH_RETURN_IF_ERROR(group.agree(rank, loaded.status()));
    ranks[static_cast<size_t>(rank)] = std::move(loaded).value();
    return {};
  });
}

// On the host a pass may be begun inside of another (ReadPauses): each has rows of its own.
Result<Logits> LanguageModel::Impl::run(int64_t num_rows, const RankPass& pass) {
  const uint64_t number = ++num_passes;
  if (ranks[0]->on_host()) {
    Tensor all;
    if (num_rows > 0) all = Tensor(host_device(), DType::kF32, {num_rows, config.vocab_size});
    const LogitsPlace place{.all = all.view(), .top = {}};
    GLYPH_RETURN_IF_ERROR(group.run([&](int rank) { return pass(*ranks[static_cast<size_t>(rank)], place); }));
    return Logits(std::move(all));
  }
  std::vector<std::vector<ops::TopLogits>> tops(ranks.size(), std::vector<ops::TopLogits>(static_cast<size_t>(num_rows)));
  GLYPH_RETURN_IF_ERROR(group.run([&](int rank) {
    const auto index = static_cast<size_t>(rank);
    return pass(*ranks[index], {.all = {}, .top = tops[index]});
  }));
  std::vector<int64_t> first_ids;
  for (const auto& rank : ranks) first_ids.push_back(rank->columns().begin);
  return Logits(merged(tops, first_ids), config.vocab_size, [this, number](int64_t row, std::span<float> to) {
    GLYPH_CHECK(number == num_passes);
    return fetch(row, to);
  });
}

Status LanguageModel::Impl::fetch(int64_t row, std::span<float> to) const {
  return group.run([&](int rank) { return ranks[static_cast<size_t>(rank)]->fetch(row, to); });
}

Result<Logits> LanguageModel::Impl::read(std::span<const PromptPart> parts, const ReadPauses& pauses) {
  std::vector<int32_t> outputs;
  int64_t num_rows = 0;
  for (const PromptPart& part : parts) {
    GLYPH_CHECK(0 <= part.begin && part.begin < part.end && part.end <= part.prompt->num_tokens());
    GLYPH_CHECK(parts.size() == 1 || part.num_rows() <= kShortRows);
    GLYPH_RETURN_IF_ERROR(part.cache->reserve(part.num_rows()));
    num_rows += part.num_rows();
    if (part.want_logits) outputs.push_back(static_cast<int32_t>(num_rows - 1));
  }
  GLYPH_ASSIGN_OR_RETURN(Logits logits, run(std::ssize(outputs), [&](LanguageRank& rank, const LogitsPlace& place) {
    return rank.read(parts, outputs, pauses, place);
  }));
  for (const PromptPart& part : parts) {
    const Prompt& prompt = *part.prompt;
    const bool whole = part.end == prompt.num_tokens();
    part.cache->commit(part.num_rows(),
                       whole ? prompt.next_position : prompt.positions[static_cast<size_t>(part.end)].time);
  }
  return logits;
}

Result<Logits> LanguageModel::Impl::decode(std::span<const NewTokens> sequences) {
  int64_t num_rows = 0;
  for (const NewTokens& sequence : sequences) {
    GLYPH_RETURN_IF_ERROR(check(sequence.ids, sequence.cache->num_tokens()));
    GLYPH_RETURN_IF_ERROR(sequence.cache->reserve(std::ssize(sequence.ids)));
    num_rows += std::ssize(sequence.ids);
  }
  GLYPH_CHECK(num_rows > 0);
  GLYPH_ASSIGN_OR_RETURN(Logits logits, run(num_rows, [&](LanguageRank& rank, const LogitsPlace& place) {
    return rank.decode(sequences, place);
  }));
  for (const NewTokens& sequence : sequences) {
    const auto count = static_cast<int64_t>(sequence.ids.size());
    sequence.cache->commit(count, sequence.cache->next_position() + count);
  }
  return logits;
}

LanguageModel::LanguageModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LanguageModel::LanguageModel(LanguageModel&&) noexcept = default;
LanguageModel& LanguageModel::operator=(LanguageModel&&) noexcept = default;
LanguageModel::~LanguageModel() = default;

Result<LanguageModel> LanguageModel::load(Device& device, const ModelConfig& config,
                                          const Checkpoint& checkpoint, const LanguageOptions& options) {
  auto group = std::make_unique<DeviceGroup>(device);
  GLYPH_ASSIGN_OR_RETURN(LanguageModel model, load(*group, config, checkpoint, options));
  model.impl_->own_group = std::move(group);
  return model;
}

Result<LanguageModel> LanguageModel::load(DeviceGroup& group, const ModelConfig& config, const Checkpoint& checkpoint,
                                          const LanguageOptions& options) {
  GLYPH_RETURN_IF_ERROR(check_precision(group.device(), options.precision));
  GLYPH_RETURN_IF_ERROR(check_shares(config.text, group.size()));
  const DType compute = glyph::compute_type(group.device(), options.precision);
  std::unique_ptr<Impl> impl(new Impl{.own_group = nullptr,
                                      .group = group,
                                      .config = config.text,
                                      .image_token_id = config.image_token_id,
                                      .compute = compute,
                                      .kv = kv_type(options.kv_precision, compute),
                                      .ranks = {}});
  GLYPH_RETURN_IF_ERROR(impl->load(config, checkpoint, options));
  return LanguageModel(std::move(impl));
}

KvLayout LanguageModel::kv_layout(int64_t block_tokens) const {
  const TextConfig& t = impl_->config;
  return {.num_layers = t.num_layers,
          .num_kv_heads = language_share(t, 0, impl_->group.size()).kv_heads.size(),
          .head_dim = t.head_dim(),
          .block_tokens = block_tokens,
          .dtype = impl_->kv,
          .num_ranks = impl_->group.size()};
}

Result<Prompt> LanguageModel::begin_prefill(std::span<const int32_t> ids,
                                            std::span<const PageFeatures* const> pages,
                                            const KvCache& cache) const {
  if (ids.empty()) return refused("the prompt is empty");
  GLYPH_RETURN_IF_ERROR(impl_->check(ids, cache.num_tokens()));
  for (const PageFeatures* page : pages) GLYPH_CHECK(page->values.shape()[1] == impl_->config.hidden_size);
  return make_prompt(ids, pages, impl_->image_token_id, cache.next_position());
}

Result<Logits> LanguageModel::read(const Prompt& prompt, int64_t begin, int64_t end, KvCache& cache,
                                   bool want_logits) const {
  const PromptPart part{.prompt = &prompt, .begin = begin, .end = end, .cache = &cache, .want_logits = want_logits};
  return impl_->read(std::span(&part, 1), {});
}

Result<Logits> LanguageModel::read(std::span<const PromptPart> parts, const ReadPauses& pauses) const {
  return impl_->read(parts, pauses);
}

Result<Logits> LanguageModel::prefill(std::span<const int32_t> ids,
                                      std::span<const PageFeatures* const> pages, KvCache& cache,
                                      const PrefillOptions& options) const {
  GLYPH_CHECK(options.chunk_tokens >= 0);
  GLYPH_ASSIGN_OR_RETURN(const Prompt prompt, begin_prefill(ids, pages, cache));
  const int64_t tokens_before = cache.num_tokens(), position_before = cache.next_position();
  Result<Logits> logits = read_all(prompt, cache, options);
  if (!logits.ok()) cache.truncate(tokens_before, position_before);
  return logits;
}

Result<Logits> LanguageModel::read_all(const Prompt& prompt, KvCache& cache,
                                       const PrefillOptions& options) const {
  const int64_t total = prompt.num_tokens();
  const int64_t chunk = options.chunk_tokens > 0 ? options.chunk_tokens : chunk_tokens();
  for (int64_t begin = 0;;) {
    if (options.stop.stop_requested()) return cancelled("reading the prompt was cancelled");
    const int64_t end = std::min(total, begin + chunk);
    GLYPH_ASSIGN_OR_RETURN(Logits logits, read(prompt, begin, end, cache, end == total));
    if (options.progress) options.progress(end, total);
    if (end == total) return Logits(std::move(logits));
    begin = end;
  }
}

Result<Logits> LanguageModel::decode(std::span<const int32_t> ids, std::span<KvCache* const> caches) const {
  GLYPH_CHECK(ids.size() == caches.size());
  std::vector<NewTokens> sequences;
  for (size_t i = 0; i < ids.size(); ++i) sequences.push_back({.ids = ids.subspan(i, 1), .cache = caches[i]});
  return impl_->decode(sequences);
}

Result<Logits> LanguageModel::decode(std::span<const NewTokens> sequences) const { return impl_->decode(sequences); }

void LanguageModel::observe(StageObserver observer) {
  const bool observed = observer != nullptr;
  for (size_t rank = 1; rank < impl_->ranks.size(); ++rank) impl_->ranks[rank]->observe({}, observed);
  impl_->ranks[0]->observe(std::move(observer), observed);
}
DType LanguageModel::compute_type() const { return impl_->compute; }
DType LanguageModel::weight_type() const { return impl_->ranks[0]->weight_type(); }
DType LanguageModel::head_type() const { return impl_->ranks[0]->head_type(); }
// A GPU is full at some thousand rows; on the host a chunk should take a fraction of a second.
int64_t LanguageModel::chunk_tokens() const {
  if (impl_->chunk_tokens > 0) return impl_->chunk_tokens;
  return impl_->group.device().host_memory() ? 512 : 8192;
}
void LanguageModel::set_chunk_tokens(int64_t tokens) { impl_->chunk_tokens = tokens; }
int64_t LanguageModel::max_decode_rows() const { return impl_->ranks[0]->max_decode_rows(); }
int64_t LanguageModel::vocab_size() const { return impl_->config.vocab_size; }
int64_t LanguageModel::max_tokens() const { return impl_->config.max_position_embeddings; }
size_t LanguageModel::workspace_bytes() const { return impl_->ranks[0]->workspace_bytes(); }

}  // namespace glyph
