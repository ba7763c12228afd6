// What chat and text completions have in common: which model, and how the answer is written.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "answer/json_schema.h"
#include "schedule/request.h"
#include "server/json_reader.h"

namespace glyph {

constexpr int kMaxAnswers = 4;

struct GenerationRequest {
  std::string model;  // "" when none is named
  bool stream = false;
  bool include_usage = false;
  SamplingRequest sampling;
  double presence_penalty = 0;
  double frequency_penalty = 0;
  std::vector<int32_t> stop_ids;
  std::optional<int64_t> max_tokens;
  int num_answers = 1;
  std::optional<int64_t> top_logprobs;  // absent: no logprobs; 0: each token's own
  std::optional<JsonSchema> format;     // of response_format json_object and json_schema
  bool use_cache = true;                // "cache", our own: false reads everything anew
};

// All but logprobs, which the two kinds spell differently. The reader remembers the first thing wrong.
void read_generation(JsonReader& reader, GenerationRequest& request);

// What of it the scheduler knows; not the format, which needs a vocabulary.
void apply_generation(const GenerationRequest& request, JobRequest& job);

// No model named, the server's own, or "glyph"; else what to answer.
std::optional<ApiError> check_model(const std::string& asked, const std::string& served);

}  // namespace glyph
