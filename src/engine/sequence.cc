#include "engine/sequence.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/scripts.h"

namespace glyph {
namespace {

constexpr int64_t kDefaultMaxTokens = 1024;
constexpr int64_t kPageMarkTokens = 2;   // begin_of_image and end_of_image

}  // namespace

Sequence::Sequence(const Model& model, AskRequest request, const AskListener& listener, std::stop_token stop)
    : model_(model), request_(std::move(request)), listener_(listener), stop_(std::move(stop)) {}

void Sequence::report(AskStage stage) {
  progress_.stage = stage;
  if (listener_.on_progress) listener_.on_progress(progress_);
}

void Sequence::warn(std::string warning) {
  if (listener_.on_warning) listener_.on_warning(warning);
  result_.warnings.push_back(std::move(warning));
}

int64_t Sequence::max_tokens() const {
  return request_.max_tokens.value_or(model_.generation().max_new_tokens.value_or(kDefaultMaxTokens));
}

Status Sequence::begin() {
  if (request_.question.empty()) return usage_error("the question is empty");
  if (max_tokens() < 1) return usage_error(fmt::format("max_tokens is {}, at least 1 is needed", max_tokens()));
  GLYPH_RETURN_IF_ERROR(answering_options().status());
  GLYPH_RETURN_IF_ERROR(extract());
  GLYPH_RETURN_IF_ERROR(start_drawing());
  stage_ = Stage::kEncode;
  return {};
}

Status Sequence::extract() {
  const Stopwatch watch;
  document_ = request_.document;
  if (document_ == nullptr) {
    IngestOptions options = request_.ingest;
    options.stop = stop_;
    options.on_progress = [this](size_t read, size_t) {
      progress_.pages_extracted = read;
      report(AskStage::kExtract);
    };
    GLYPH_ASSIGN_OR_RETURN(Document document, read_documents(request_.files, options));
    document_ = std::make_shared<const Document>(std::move(document));
  }
  result_.timings.extract_ms = watch.ms();
  for (const std::string& warning : document_->warnings) warn(warning);
  const std::string text = text_blocks(*document_);
  if (auto warning = unread_scripts_warning(document_->name, text, model_.config().scripts)) warn(*std::move(warning));
  if (auto warning = unread_scripts_warning("the question", request_.question, model_.config().scripts)) warn(*std::move(warning));
  return {};
}

Status Sequence::start_drawing() {
  GLYPH_ASSIGN_OR_RETURN(const ChatPrompt prompt, build_prompt(model_.tokenizer(), model_.control(), {}, request_.question));
  question_tokens_ = static_cast<int64_t>(prompt.ids.size());
  style_ = request_.style ? *request_.style : usual_style(*document_, model_.config());
  if (request_.dpi) style_.dpi = *request_.dpi;
  DrawingOptions options;
  options.preprocessor = model_.preprocessor();
  options.max_pages = request_.max_pages;
  options.cut_patches = true;
  options.max_image_tokens = std::max<int64_t>(0, model_.language().max_tokens() - question_tokens_);
  GLYPH_ASSIGN_OR_RETURN(drawing_, Drawing::start(*document_, style_, options, stop_));
  encoding_.emplace(model_.device(), model_.vision(), model_.page_batches(), *drawing_);
  return {};
}

Status Sequence::encode_pages() {
  GLYPH_ASSIGN_OR_RETURN(const bool encoded, encoding_->step(stop_));
  progress_.pages_drawn = drawing_->num_drawn();
  progress_.pages_encoded = encoding_->num_pages();
  report(AskStage::kEncode);
  return encoded ? Status() : start_prefill();
}

WindowUse Sequence::window_use() const {
  const DrawingTotals totals = drawing_->totals();
  WindowUse use;
  use.num_pages = totals.num_pages;
  use.image_tokens = totals.num_image_tokens;
  use.text_tokens = question_tokens_ + kPageMarkTokens * static_cast<int64_t>(totals.num_pages);
  use.answer_tokens = std::min(max_tokens(), kMinAnswerTokens);
  return use;
}

Status Sequence::start_prefill() {
  const DrawingTotals totals = drawing_->totals();
  GLYPH_RETURN_IF_ERROR(check_window(document_->name, window_use(), model_.language().max_tokens(), style_));
  for (const std::string& warning : totals.warnings) warn(warning);
  GLYPH_ASSIGN_OR_RETURN(ChatPrompt prompt, build_prompt(model_.tokenizer(), model_.control(), encoding_->page_tokens(),
                                                         request_.question));
  result_.pages = totals.num_pages;
  const std::string text = text_blocks(*document_);
  result_.text_tokens = static_cast<int64_t>(model_.tokenizer().encode_plain(text).size());
  if (request_.draft_tokens > 0) quotable_ = make_draft_index(model_.tokenizer(), text);
  result_.usage.prompt_tokens = static_cast<int64_t>(prompt.ids.size());
  result_.usage.image_tokens = totals.num_image_tokens;
  result_.timings.render_ms = totals.seconds * 1e3;
  vision_clock_ = encoding_->clock();
  progress_.tokens_to_read = result_.usage.prompt_tokens;
  GLYPH_ASSIGN_OR_RETURN(prefill_, Prefill::start(model_.language(), model_.kv_blocks(), std::move(prompt.ids),
                                                  encoding_->take_pages()));
  encoding_.reset();
  drawing_.reset();
  stage_ = Stage::kPrefill;
  return {};
}

Status Sequence::read_chunk() {
  if (stop_.stop_requested()) return cancelled("the question was stopped");
  GLYPH_ASSIGN_OR_RETURN(const std::optional<Logits> logits, prefill_->step(model_.language().chunk_tokens()));
  progress_.tokens_read = prefill_->tokens_read();
  report(AskStage::kPrefill);
  if (!logits) return {};
  result_.timings.vision_ms = vision_clock_->ms();
  result_.timings.prefill_ms = prefill_->ms();
  prefill_->drop_pages();
  return start_answering(logits->row(0));
}

Result<AnsweringOptions> Sequence::answering_options() const {
  AnsweringOptions options = answering_options_of(model_.generation(), request_.sampling);
  options.max_tokens = max_tokens();
  GLYPH_RETURN_IF_ERROR(check_sampling_options(options.sampling));
  GLYPH_RETURN_IF_ERROR(check_stop_strings(options.stop_strings));
  return options;
}

Status Sequence::start_answering(const ops::LogitsRow& logits) {
  GLYPH_ASSIGN_OR_RETURN(AnsweringOptions options, answering_options());
  options.max_tokens = std::min(options.max_tokens, model_.language().max_tokens() - result_.usage.prompt_tokens);
  writing_.emplace(model_.tokenizer(), options, prefill_->ids(), listener_, [this] { took_token(); });
  decode_watch_.emplace();
  stage_ = Stage::kDecode;
  return writing_->take_logits(logits);
}

void Sequence::took_token() {
  const Answering& answering = writing_->answering();
  if (answering.num_tokens() == 1) result_.timings.ttft_ms = watch_.ms();
  progress_.tokens_written = answering.num_tokens();
  report(AskStage::kDecode);
  if (answering.done()) stage_ = Stage::kDone;
}

std::vector<int32_t> Sequence::next_tokens() const {
  const auto room = static_cast<size_t>(std::max<int64_t>(1, model_.language().max_decode_rows()) - 1);
  if (quotable_ == nullptr) return writing_->next_tokens({}, 0);
  return writing_->next_tokens(std::span(&quotable_, 1), std::min(request_.draft_tokens, room));
}

Status Sequence::take_decoded(std::span<const int32_t> decoded, const Logits& logits) {
  if (stop_.stop_requested()) return cancelled("the question was stopped");
  GLYPH_ASSIGN_OR_RETURN(const size_t accepted, writing_->take_decoded(decoded, logits, 0, cache()));
  result_.drafted_tokens += decoded.size() - 1;
  result_.accepted_tokens += accepted;
  return {};
}

AskResult Sequence::take_result() {
  const Answering& answering = writing_->answering();
  result_.answer = answering.answer();
  result_.reasoning = answering.reasoning();
  result_.finish_reason = answering.finish_reason();
  result_.usage.completion_tokens = answering.num_tokens();
  result_.timings.decode_ms = decode_watch_->ms();
  result_.timings.total_ms = watch_.ms();
  if (answering.looped()) warn("the answer began to repeat itself and was ended");
  return std::move(result_);
}

}  // namespace glyph
