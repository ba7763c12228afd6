#include "schedule/job.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "engine/window.h"

namespace glyph {
namespace {

constexpr int64_t kDefaultMaxTokens = 1024;
constexpr int64_t kMinChunkTokens = 1024;  // a page of the usual style in one piece

// Pages of all turns up to the end of each document; all of them were drawn.
std::set<size_t> document_ends(const std::vector<ChatTurn>& turns) {
  std::set<size_t> ends;
  size_t pages = 0;
  for (const ChatTurn& turn : turns) {
    for (const SourcePtr& source : turn.sources) ends.insert(pages += source->known()->pages.size());
  }
  return ends;
}

std::string first_name(const std::vector<ChatTurn>& turns) {
  for (const ChatTurn& turn : turns) {
    if (!turn.sources.empty()) return turn.sources.front()->document->name;
  }
  return "the conversation";
}

}  // namespace

Job::Job(const Model& model, JobRequest request, JobListener listener, std::stop_token stop)
    : model_(model), request_(std::move(request)), listener_(std::move(listener)), stop_(std::move(stop)), watch_(request_.submitted.value_or(Stopwatch())) {}

std::vector<const Source*> Job::sources() const {
  std::vector<const Source*> sources;
  for (const ChatTurn& turn : request_.turns) {
    for (const SourcePtr& source : turn.sources) sources.push_back(source.get());
  }
  return sources;
}

void Job::report(AskStage stage) {
  progress_.stage = stage;
  if (listener_.on_progress) listener_.on_progress(progress_);
}

int64_t Job::max_tokens() const {
  return request_.max_tokens.value_or(model_.generation().max_new_tokens.value_or(kDefaultMaxTokens));
}

AnsweringOptions Job::answering_options(int index) const {
  AnsweringOptions options = answering_options_of(model_.generation(), request_.sampling);
  options.sampling.presence_penalty = request_.presence_penalty;
  options.sampling.frequency_penalty = request_.frequency_penalty;
  options.sampling.seed += static_cast<uint64_t>(index) * 0x9E3779B97F4A7C15u;
  options.stop_ids.insert(options.stop_ids.end(), request_.stop_ids.begin(), request_.stop_ids.end());
  options.max_tokens = max_tokens();
  options.sampling.top_logprobs = request_.top_logprobs;
  options.verbatim = !request_.prompt_ids.empty();
  options.format = request_.format;
  return options;
}

Status Job::check() {
  if (is_question()) {
    const AnsweringOptions options = answering_options(0);
    if (options.max_tokens < 1) return usage_error(fmt::format("max_tokens is {}, at least 1 is needed", options.max_tokens));
    GLYPH_RETURN_IF_ERROR(check_sampling_options(options.sampling));
    GLYPH_RETURN_IF_ERROR(check_stop_strings(options.stop_strings));
  }
  head_ = head_of(request_.turns);
  return {};
}

Status Job::read_pages(Caches& caches, const Pace& pace) {
  if (!reading_) {
    begun_ = true;
    result_.queue_ms += watch_.ms() - waiting_since_ms_;
    GLYPH_RETURN_IF_ERROR(check());
    if (!request_.use_cache) no_caches_ = std::make_unique<Caches>(model_.language().kv_layout());
    reading_.emplace(model_, no_caches_ ? *no_caches_ : caches, request_.turns, head_, stop_);
  }
  GLYPH_ASSIGN_OR_RETURN(const bool more, reading_->step(pace));
  progress_.pages_drawn = reading_->num_drawn();
  progress_.pages_encoded = reading_->num_encoded();
  report(AskStage::kEncode);
  if (more) return {};
  reading_->refresh_match();
  if (is_question()) touch_sources(caches);
  else keep_stored(caches);
  GLYPH_RETURN_IF_ERROR(build_prompt());
  waiting_since_ms_ = watch_.ms();
  stage_ = Stage::kWaiting;
  return {};
}

// What a document finds in memory may not be on disk: it was read before it was stored.
void Job::keep_stored(Caches& caches) const {
  Digest key = head_;
  for (size_t i = 0; i < reading_->num_stored_prefix_pages(); ++i) {
    const Digest& page = reading_->prefix_keys()[i];
    key = prefix_key(key, page);
    caches.keep_stored(page, key, reading_->prefix_source(i).id);
  }
}

void Job::touch_sources(Caches& caches) const {
  for (const ChatTurn& turn : request_.turns) {
    for (const SourcePtr& source : turn.sources) caches.touch(source->id);
  }
}

// All ids, then what of them is not known yet.
Status Job::build_prompt() {
  std::vector<Turn> turns;
  std::vector<FeaturesPtr> features;
  for (size_t i = 0; i < request_.turns.size(); ++i) {
    Turn turn{request_.turns[i].role, {}, request_.turns[i].text};
    for (const Reading::PageEntry& entry : reading_->turns()[i]) {
      turn.page_tokens.push_back(entry.page.num_tokens);
      features.push_back(entry.features);
    }
    turns.push_back(std::move(turn));
  }
  if (request_.prompt_ids.empty()) {
    GLYPH_ASSIGN_OR_RETURN(chat_prompt_, glyph::build_prompt(model_.tokenizer(), model_.control(), turns));
  } else {
    chat_prompt_.ids = request_.prompt_ids;
  }
  std::vector<int32_t>& ids = chat_prompt_.ids;
  const auto page_end = [&](size_t i) { return chat_prompt_.pages[i].begin + chat_prompt_.pages[i].count + 1; };  // and its end mark
  if (!is_question() && !chat_prompt_.pages.empty()) ids.resize(static_cast<size_t>(page_end(chat_prompt_.pages.size() - 1)));

  const auto num_ids = static_cast<int64_t>(ids.size());
  WindowUse use;
  use.num_pages = reading_->num_pages();
  use.image_tokens = reading_->image_tokens();
  use.text_tokens = std::max<int64_t>(0, num_ids - use.image_tokens);
  use.answer_tokens = is_question() ? std::min(max_tokens(), kMinAnswerTokens) : kMinAnswerTokens;
  const PageStyle style = reading_->num_pages() == 0 ? PageStyle::english() : [&] {
    for (const ChatTurn& turn : request_.turns) {
      if (!turn.sources.empty()) return turn.sources.front()->style;
    }
    return PageStyle::english();
  }();
  GLYPH_RETURN_IF_ERROR(check_window(first_name(request_.turns), use, model_.language().max_tokens(), style));

  const PrefixTree::Match& match = reading_->match();
  if (match.num_pages > 0 && match.num_tokens != page_end(match.num_pages - 1)) {
    return internal_error(fmt::format("the cache holds {} tokens up to page {}, the prompt has {}", match.num_tokens, match.num_pages,
                                      page_end(match.num_pages - 1)));
  }
  rest_ids_.assign(ids.begin() + match.num_tokens, ids.end());
  const std::set<size_t> ends = document_ends(request_.turns);
  for (size_t i = match.num_pages; i < features.size(); ++i) {
    rest_pages_.push_back(features[i]);
    rest_page_pointers_.push_back(features[i].get());
    page_ends_.push_back({page_end(i) - match.num_tokens, ends.contains(i + 1)});
  }
  num_kept_pages_ = match.num_pages;
  result_.pages = use.num_pages;
  result_.text_tokens = reading_->text_tokens();
  result_.usage.prompt_tokens = num_ids;
  result_.usage.image_tokens = use.image_tokens;
  result_.usage.cached_tokens = match.num_tokens;
  result_.timings.render_ms = reading_->render_seconds() * 1e3;
  result_.warnings = reading_->warnings();
  progress_.tokens_to_read = num_ids;
  progress_.tokens_read = match.num_tokens;
  return {};
}

void Job::let_go_of_blocks() {
  reading_.reset();
  chat_prompt_ = {};
  rest_ids_.clear();
  rest_pages_.clear();
  rest_page_pointers_.clear();
  page_ends_.clear();
  waiting_since_ms_ = watch_.ms();
  stage_ = Stage::kPages;
}

bool Job::start_over() {
  if (stage_ == Stage::kPages && !reading_) return true;
  if (started_over_ || stage_ >= Stage::kDecode) return false;
  started_over_ = true;
  cache_.reset();
  prompt_ = {};
  prefill_clock_.reset();
  read_ = blocks_granted_ = 0;
  let_go_of_blocks();
  return true;
}

void Job::pass_to(const JobHeir& heir) {
  request_.submitted = watch_;
  heir(std::move(request_), listener_, stop_);
}

int64_t Job::blocks_needed(const KvLayout& layout) const {
  const auto blocks_of = [&](int64_t tokens) { return (tokens + layout.block_tokens - 1) / layout.block_tokens; };
  const int64_t prompt = blocks_of(result_.usage.prompt_tokens) + 2;  // a shared last block is copied
  if (!is_question()) return prompt;
  const int64_t room = std::max<int64_t>(0, model_.language().max_tokens() - result_.usage.prompt_tokens);
  return prompt + request_.num_answers * (blocks_of(std::min(max_tokens(), room)) + 2);
}

Status Job::start_prefill(KvBlockPool& pool, int64_t blocks) {
  blocks_granted_ = blocks;
  result_.queue_ms += watch_.ms() - waiting_since_ms_;
  prefill_clock_.emplace(model_.device());
  stage_ = Stage::kPrefill;
  const PrefixTree::Match& match = reading_->match();
  cache_.emplace(KvCache::from_blocks(pool, match.blocks, match.num_tokens, match.next_position));
  if (rest_ids_.empty()) {  // a document that was read before
    stage_ = Stage::kDone;
    return {};
  }
  GLYPH_ASSIGN_OR_RETURN(prompt_, model_.language().begin_prefill(rest_ids_, rest_page_pointers_, *cache_));
  return {};
}

int64_t Job::end_of_part(bool soon_over) const {
  const int64_t total = prompt_.num_tokens(), chunk = model_.language().chunk_tokens();
  const int64_t most = soon_over ? kMinChunkTokens : std::max(kMinChunkTokens, chunk);
  if (page_ends_.empty()) return std::min(read_ + most, total);
  const int64_t together = read_ + std::min(most, chunk);
  int64_t end = std::min(read_ + most, page_ends_.front().token);
  for (const PageEnd& page : page_ends_) {
    if (page.token > together) break;
    end = page.token;
    if (page.ends_document) break;
  }
  return end;
}

PromptPart Job::next_part(bool soon_over) {
  const int64_t end = end_of_part(soon_over);
  return {.prompt = &prompt_, .begin = read_, .end = end, .cache = &*cache_, .want_logits = end == prompt_.num_tokens() && is_question()};
}

size_t Job::num_page_ends(const PromptPart& part) const {
  const auto in_part = [&](const PageEnd& page) { return page.token <= part.end; };
  return static_cast<size_t>(std::count_if(page_ends_.begin(), page_ends_.end(), in_part));
}

Status Job::finish_part(const PromptPart& part, const ops::LogitsRow& logits, Caches& caches) {
  prefill_clock_->end();
  read_ = part.end;
  for (; !page_ends_.empty() && page_ends_.front().token <= read_; page_ends_.pop_front()) keep_prefix(page_ends_.front().token, caches);
  progress_.tokens_read = result_.usage.cached_tokens + read_;
  report(AskStage::kPrefill);
  if (read_ < prompt_.num_tokens()) return {};
  if (is_question()) return start_answers(logits);
  stage_ = Stage::kDone;
  return {};
}

// The cache up to token `end` of the prompt, where a page ends: if it stands at the beginning of the conversation, the next question
// finds it. Without a block to spare nobody does.
void Job::keep_prefix(int64_t end, Caches& caches) {
  if (!request_.use_cache || num_kept_pages_ >= reading_->num_prefix_pages()) return;
  const Source& source = reading_->prefix_source(num_kept_pages_);
  ++num_kept_pages_;
  if (source.forgotten()) return;
  const bool stored = num_kept_pages_ <= reading_->num_stored_prefix_pages();
  const int64_t position = end == prompt_.num_tokens() ? prompt_.next_position : prompt_.positions[static_cast<size_t>(end)].time;
  const Result<KvCache> beginning = cache_->beginning(result_.usage.cached_tokens + end, position);
  if (!beginning.ok()) return;
  caches.insert_prefix(head_, reading_->prefix_keys().first(num_kept_pages_), *beginning, stored ? source.id : "");
}

Status Job::start_answers(const ops::LogitsRow& logits) {
  rest_pages_.clear();
  rest_page_pointers_.clear();
  decode_watch_.emplace();
  stage_ = Stage::kDecode;
  for (int i = 0; i < request_.num_answers; ++i) {
    AnsweringOptions options = answering_options(i);
    options.max_tokens = std::min(options.max_tokens, model_.language().max_tokens() - result_.usage.prompt_tokens);
    result_.max_tokens = options.max_tokens;
    branches_.push_back(Branch(*this, cache_->fork()));
    Branch& branch = branches_.back();
    if (listener_.on_token) branch.listener_.on_token = [this, i](const SampledToken& token) { listener_.on_token(i, token); };
    if (listener_.on_text) {
      branch.listener_.on_answer = [this, i](std::string_view text) { listener_.on_text(i, false, text); };
      branch.listener_.on_reasoning = [this, i](std::string_view text) { listener_.on_text(i, true, text); };
    }
    branch.writing_.emplace(model_.tokenizer(), options, chat_prompt_.ids, branch.listener_, [this] { took_token(); });
  }
  cache_.reset();
  for (Branch& branch : branches_) {
    GLYPH_RETURN_IF_ERROR(branch.writing_->take_logits(logits));
  }
  return {};
}

void Job::took_token() {
  if (result_.timings.ttft_ms == 0) result_.timings.ttft_ms = watch_.ms();
  ++progress_.tokens_written;
  report(AskStage::kDecode);
  if (std::all_of(branches_.begin(), branches_.end(), [](const Branch& branch) { return branch.writing_->done(); })) stage_ = Stage::kDone;
}

std::vector<int32_t> Job::Branch::next_tokens(size_t max_drafted) {
  return writing_->next_tokens(max_drafted == 0 ? std::span<const DraftIndexPtr>() : job_.texts(), max_drafted);
}

// Tokenized when the first answer asks for it, once a document.
std::span<const DraftIndexPtr> Job::texts() {
  if (texts_) return *texts_;
  texts_.emplace();
  for (const ChatTurn& turn : request_.turns) {
    for (const SourcePtr& source : turn.sources) {
      if (source->text() == nullptr) source->set_text(make_draft_index(model_.tokenizer(), text_blocks(*source->document)));
      if (const DraftIndexPtr text = source->text()) texts_->push_back(text);
    }
  }
  return *texts_;
}

void Job::append_running(std::vector<Branch*>& branches) {
  for (Branch& branch : branches_) {
    if (!branch.writing_->done()) branches.push_back(&branch);
  }
}

JobResult Job::take_result() {
  for (const Branch& branch : branches_) {
    const Answering& answer = branch.writing_->answering();
    result_.answers.push_back({answer.answer(), answer.reasoning(), answer.finish_reason(), answer.num_tokens()});
    result_.usage.completion_tokens += answer.num_tokens();
    if (answer.looped()) result_.warnings.push_back("an answer began to repeat itself and was ended");
  }
  if (decode_watch_) result_.timings.decode_ms = decode_watch_->ms();
  if (reading_) result_.timings.vision_ms = reading_->vision_ms();
  if (prefill_clock_) result_.timings.prefill_ms = prefill_clock_->ms();
  result_.timings.total_ms = watch_.ms();
  return std::move(result_);
}

void Job::add_to(uint64_t& prompt_tokens, uint64_t& cached_tokens, uint64_t& generated_tokens) const {
  prompt_tokens += static_cast<uint64_t>(result_.usage.prompt_tokens);
  cached_tokens += static_cast<uint64_t>(result_.usage.cached_tokens);
  for (const Branch& branch : branches_) generated_tokens += static_cast<uint64_t>(branch.writing_->answering().num_tokens());
}

void Job::end(Status status) {
  stage_ = Stage::kDone;
  if (!listener_.on_end) return;
  if (status.ok()) listener_.on_end(take_result());
  else listener_.on_end(std::move(status));
}

}  // namespace glyph
