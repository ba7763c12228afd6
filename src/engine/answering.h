// Answering: the last stage of a question. Logits become tokens, tokens become text, text becomes reasoning and answer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "answer/answer_format.h"
#include "answer/answer_parser.h"
#include "answer/loop.h"
#include "answer/sampler.h"
#include "answer/stop.h"
#include "engine/ask.h"
#include "glyph/status.h"
#include "tokenize/detokenizer.h"
#include "tokenize/tokenizer.h"
#include "weights/config.h"

namespace glyph {

struct AnsweringOptions {
  SamplingOptions sampling;
  std::vector<int32_t> stop_ids;
  std::vector<std::string> stop_strings;
  int64_t max_tokens = 1;
  bool end_loops = true;                       // an answer that only repeats itself ends as at max_tokens, unless it has a format
  bool verbatim = false;                       // text as it comes: no thinking is looked for, no white space dropped
  std::shared_ptr<const AnswerFormat> format;  // that the answer must have; it is then verbatim
};

// What a request asks for, and the model's own configuration where it asks for nothing. max_tokens is the caller's to set.
AnsweringOptions answering_options_of(const GenerationConfig& model, const SamplingRequest& asked);

// One thread. The tokenizer and the listener must outlive it.
class Answering {
 public:
  // `prompt` counts for the repetition penalty.
  Answering(const Tokenizer& tokenizer, const AnsweringOptions& options, std::span<const int32_t> prompt,
            const AskListener& listener);

  // Chooses a token from a row of logits and publishes the text it completes. Gives the token to decode next, or nothing when
  // the answer is complete. kInternal when the logits are not numbers; errors of fetching them.
  Result<std::optional<int32_t>> step(const ops::LogitsRow& logits);

  int64_t num_tokens() const { return num_tokens_; }
  int64_t tokens_left() const { return options_.max_tokens - num_tokens_; }
  bool done() const { return !finish_reason_.empty(); }
  const std::string& finish_reason() const { return finish_reason_; }  // "stop", "length", or "" while it goes on
  bool looped() const { return looped_; }  // and was ended for it
  const std::string& answer() const { return answer_; }
  const std::string& reasoning() const { return reasoning_; }

 private:
  void finish(std::string reason);
  void publish_text(std::string text);
  void publish(const std::vector<AnswerEvent>& events);

  const AnsweringOptions options_;
  const AskListener& listener_;
  Sampler sampler_;
  StopIds stop_ids_;
  LoopDetector loop_;
  bool looped_ = false;
  std::optional<FormatState> format_;
  StopStrings stop_strings_;
  Detokenizer detokenizer_;
  AnswerParser parser_;
  int64_t num_tokens_ = 0;
  std::string finish_reason_;
  std::string answer_;
  std::string reasoning_;
};

}  // namespace glyph
