#include "engine/answering.h"

#include <utility>

namespace glyph {
namespace {

// The tags the answer parser looks for are special tokens in some tokenizers.
DetokenizeOptions detokenize_options(const Tokenizer& tokenizer) {
  DetokenizeOptions options;
  for (const char* tag : {"<think>", "</think>", "<answer>", "</answer>"}) {
    if (const auto id = tokenizer.token_id(tag)) options.keep.push_back(*id);
  }
  return options;
}

}  // namespace

AnsweringOptions answering_options_of(const GenerationConfig& model, const SamplingRequest& asked) {
  AnsweringOptions options;
  options.sampling.temperature = asked.temperature.value_or(model.do_sample ? model.temperature : 0.0);
  options.sampling.top_k = asked.top_k.value_or(model.top_k);
  options.sampling.top_p = asked.top_p.value_or(model.top_p);
  options.sampling.repetition_penalty = asked.repetition_penalty.value_or(model.repetition_penalty);
  options.sampling.seed = asked.seed;
  if (!asked.ignore_eos) options.stop_ids = model.stop_ids;
  options.end_loops = !asked.ignore_eos;
  options.stop_strings = asked.stop;
  return options;
}

Answering::Answering(const Tokenizer& tokenizer, const AnsweringOptions& options, std::span<const int32_t> prompt,
                     const AskListener& listener)
    : options_(options),
      listener_(listener),
      sampler_(options.sampling, prompt),
      stop_ids_(options.stop_ids),
      stop_strings_(options.stop_strings),
      detokenizer_(tokenizer, detokenize_options(tokenizer)) {
  if (options_.format != nullptr) format_.emplace(options_.format, options_.stop_ids);
}

Result<std::optional<int32_t>> Answering::step(const ops::LogitsRow& logits) {
  GLYPH_ASSIGN_OR_RETURN(const SampledToken token, sampler_.sample(logits, format_ ? &*format_ : nullptr));
  ++num_tokens_;
  if (stop_ids_.contains(token.id)) {
    finish("stop");
    return std::optional<int32_t>();
  }
  if (listener_.on_token) listener_.on_token(token);
  StopStrings::Piece piece = stop_strings_.push(detokenizer_.push(token.id));
  publish_text(std::move(piece.text));
  if (piece.stopped || (format_ && format_->closed())) finish("stop");
  else if (num_tokens_ >= options_.max_tokens) finish("length");
  else if (options_.end_loops && !format_ && (looped_ = loop_.push(token.id))) finish("length");
  return done() ? std::optional<int32_t>() : std::optional<int32_t>(token.id);
}

void Answering::finish(std::string reason) {
  StopStrings::Piece rest = stop_strings_.push(detokenizer_.flush());
  publish_text(std::move(rest.text));
  publish_text(stop_strings_.flush());
  publish(parser_.flush());
  finish_reason_ = std::move(reason);
}

void Answering::publish_text(std::string text) {
  if (!options_.verbatim && !format_) return publish(parser_.push(text));
  if (!text.empty()) publish({{AnswerEvent::Kind::kContent, std::move(text)}});
}

void Answering::publish(const std::vector<AnswerEvent>& events) {
  for (const AnswerEvent& event : events) {
    const bool reasoning = event.kind == AnswerEvent::Kind::kReasoning;
    (reasoning ? reasoning_ : answer_) += event.text;
    const auto& callback = reasoning ? listener_.on_reasoning : listener_.on_answer;
    if (callback) callback(event.text);
  }
}

}  // namespace glyph
