// What can be scheduled, what is told meanwhile, and what comes back. Plain values.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "answer/answer_format.h"
#include "answer/sampler.h"
#include "engine/ask.h"
#include "engine/stopwatch.h"
#include "glyph/status.h"
#include "schedule/source.h"
#include "tokenize/prompt.h"

namespace glyph {

struct ChatTurn {
  Role role = Role::kUser;
  std::vector<SourcePtr> sources;  // user turns only
  std::string text;
};

struct JobRequest {
  enum class Kind { kRead, kAnswer };

  Kind kind = Kind::kAnswer;
  std::vector<ChatTurn> turns;        // kRead: one user turn without text
  SamplingRequest sampling;           // what is not set comes from the model
  double presence_penalty = 0;
  double frequency_penalty = 0;
  std::vector<int32_t> stop_ids;      // besides the model's
  std::optional<int64_t> max_tokens;  // of each answer
  int num_answers = 1;
  bool use_cache = true;              // false: nothing read earlier is used, nothing read now is kept
  std::vector<int32_t> prompt_ids;    // kAnswer: the whole prompt, instead of turns; its answer is verbatim
  int64_t top_logprobs = -1;          // of each token: -1 none, 0 its own, n those of the n likeliest as well
  std::shared_ptr<const AnswerFormat> format;  // that answers must have; nullptr: none
  bool background = false;            // kAnswer: goes on only while no other question is written or could be read
  std::optional<Stopwatch> submitted; // when another scheduler was asked first; without: now
};

struct JobResult {
  struct Answer {
    std::string text;
    std::string reasoning;
    std::string finish_reason;  // "stop" or "length"
    int64_t num_tokens = 0;
  };
  std::vector<Answer> answers;
  size_t pages = 0;
  int64_t text_tokens = 0;  // the documents' text as text tokens
  AskUsage usage;           // completion tokens of all answers
  AskTimings timings;       // total and first token count from submission
  double queue_ms = 0;      // of total: before its first piece, and while it waited for KV blocks
  int64_t max_tokens = 0;   // that an answer was allowed
  std::vector<std::string> warnings;
};

// Called on the engine thread; any may be empty. They must not block.
struct JobListener {
  std::function<void(const AskProgress& progress)> on_progress;
  std::function<void(int answer, const SampledToken& token)> on_token;  // each but a stop id, before the text that it completes
  std::function<void(int answer, bool reasoning, std::string_view text)> on_text;
  std::function<void(Result<JobResult> result)> on_end;  // once, the last call
};

}  // namespace glyph
