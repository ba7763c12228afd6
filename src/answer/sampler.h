// Logits -> one token id: penalties, temperature, top-k, top-p, min-p, then greedy or a draw.
//
// Order and meaning follow transformers' generate(): repetition penalty over prompt and answer, then
// temperature, top-k, top-p, min-p (RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper,
// TopKLogitsWarper, TopPLogitsWarper, MinPLogitsWarper); presence and frequency penalties follow the OpenAI
// API and count the answer only. A draw depends on seed and step alone, so a request gives the same text
// whatever runs beside it. Not thread safe; one object, one answer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "answer/answer_format.h"
#include "glyph/status.h"
#include "ops/top_logits.h"

namespace glyph {

struct SamplingOptions {
  double temperature = 0.0;  // 0: greedy
  int64_t top_k = 0;         // keep the k most likely (and their equals); 0: all; 1: greedy
  double top_p = 1.0;        // keep the most likely whose probabilities reach p; 1: all
  double min_p = 0.0;  // keep those with at least this share of the most likely one's probability; 0: all
  double repetition_penalty = 1.0;  // > 1 makes ids of prompt and answer less likely; 1: off
  double presence_penalty = 0.0;    // subtracted once from each id of the answer
  double frequency_penalty = 0.0;   // subtracted for each time an id stands in the answer
  uint64_t seed = 0;
  int64_t top_logprobs =
      -1;  // -1: no logprobs (a pass over the vocabulary less); n: also those of the n most likely ids
};

// kUsage naming the option and its value.
Status check_sampling_options(const SamplingOptions& options);

struct SampledToken {
  int32_t id = 0;
  // Natural logarithms of the model's own distribution (no penalty, temperature 1); set when top_logprobs >=
  // 0.
  float logprob = 0.0f;
  std::vector<std::pair<int32_t, float>> top_logprobs;  // the most likely first
};

class Sampler {
 public:
  // `prompt` counts for the repetition penalty.
  Sampler(const SamplingOptions& options, std::span<const int32_t> prompt);

  // Chooses the next id from logits (vocab_size) and notes it, in `format` too if there is one: only ids that it
  // permits are chosen, as if the others' logits were -infinity. kInternal when a logit is NaN or +infinity, all
  // are -infinity, or none is permitted; the sampler is then as before.
  Result<SampledToken> sample(std::span<const float> logits, FormatState* format = nullptr);
  // The same of a row whose largest are known: all of it is only asked for where they do not settle the choice, as for a draw from
  // the whole vocabulary. Errors of fetching it, too.
  Result<SampledToken> sample(const ops::LogitsRow& row, FormatState* format = nullptr);
  // Notes an id that was chosen elsewhere (an accepted draft) as if sample() had given it.
  void accept(int32_t id);

  int64_t num_sampled() const { return step_; }

 private:
  bool is_greedy() const { return options_.temperature == 0.0 || options_.top_k == 1; }
  void apply_penalties(std::span<float> scores) const;
  float penalised(int32_t id, float score) const;
  bool only_lowers() const;
  Result<int32_t> choose(std::span<float> scores, FormatState* format) const;
  std::optional<int32_t> choose_of_largest(const ops::LogitsRow& row, FormatState* format) const;
  size_t draw(std::span<float> scores) const;
  SampledToken take(SampledToken token, FormatState* format);

  SamplingOptions options_;
  std::unordered_set<int32_t> seen_;             // ids of prompt (if penalised) and answer
  std::unordered_map<int32_t, int64_t> counts_;  // id -> times in the answer
  std::vector<float> scores_;                    // (vocab_size), scratch
  int64_t step_ = 0;
};

constexpr int64_t kMaxTopLogprobs = 20;

// A number in [0, 1) that depends on its arguments alone.
double uniform_draw(uint64_t seed, uint64_t step);

// Set to -infinity what the reference's warpers remove. `scores` are (vocab_size); the most likely always
// stays.
void keep_top_k(std::span<float> scores, int64_t k);
void keep_top_p(std::span<float> scores, double p);
void keep_min_p(std::span<float> scores, double p);

}  // namespace glyph
