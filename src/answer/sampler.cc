#include "answer/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace glyph {
namespace {

constexpr float kRemoved = -std::numeric_limits<float>::infinity();

Status check_range(const char* name, double value, double min, double max) {
  if (value >= min && value <= max) return {};  // false for NaN
  return usage_error(fmt::format("{} is {}, outside {} to {}", name, value, min, max));
}

// The first of the largest. NaN must have been excluded.
int32_t argmax(std::span<const float> scores) {
  return static_cast<int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

Status check_logits(std::span<const float> logits) {
  bool bad = false;
  float largest = kRemoved;
  for (const float x : logits) {
    bad |= !(x < std::numeric_limits<float>::infinity());
    largest = std::max(largest, x);
  }
  if (bad) return internal_error("the model gave a logit that is not a number");
  if (largest == kRemoved) return internal_error("the model gave no finite logit");
  return {};
}

// log(sum(exp(logits)))
double log_sum_exp(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - largest);
  return largest + std::log(sum);
}

// The n largest, largest first, the lower id first among equals.
std::vector<std::pair<int32_t, float>> largest_logprobs(std::span<const float> logits, int64_t n,
                                                        double log_sum) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto count = std::min<std::ptrdiff_t>(n, std::ssize(order));
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  std::vector<std::pair<int32_t, float>> out;
  for (std::ptrdiff_t i = 0; i < count; ++i)
    out.emplace_back(order[i], static_cast<float>(logits[order[i]] - log_sum));
  return out;
}

}  // namespace

double uniform_draw(uint64_t seed, uint64_t step) {
  // Two rounds of SplitMix64 (Steele, Lea, Flood 2014) over the counter.
  uint64_t x = seed * 0x9E3779B97F4A7C15u + step * 0xD1342543DE82EF95u + 0x2545F4914F6CDD1Du;
  for (int round = 0; round < 2; ++round) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    x ^= x >> 31;
  }
  return static_cast<double>(x >> 11) * 0x1.0p-53;
}

Status check_sampling_options(const SamplingOptions& options) {
  GLYPH_RETURN_IF_ERROR(check_range("temperature", options.temperature, 0.0, 100.0));
  GLYPH_RETURN_IF_ERROR(check_range("top_k", static_cast<double>(options.top_k), 0.0, 1e9));
  GLYPH_RETURN_IF_ERROR(check_range("top_p", options.top_p, 0.0, 1.0));
  GLYPH_RETURN_IF_ERROR(check_range("min_p", options.min_p, 0.0, 1.0));
  GLYPH_RETURN_IF_ERROR(check_range("repetition_penalty", options.repetition_penalty, 0.01, 100.0));
  GLYPH_RETURN_IF_ERROR(check_range("presence_penalty", options.presence_penalty, -2.0, 2.0));
  GLYPH_RETURN_IF_ERROR(check_range("frequency_penalty", options.frequency_penalty, -2.0, 2.0));
  return check_range("top_logprobs", static_cast<double>(options.top_logprobs), -1.0,
                     static_cast<double>(kMaxTopLogprobs));
}

// Reference: TopKLogitsWarper. Equals of the k-th stay.
void keep_top_k(std::span<float> scores, int64_t k) {
  if (k <= 0 || k >= std::ssize(scores)) return;
  std::vector<float> order(scores.begin(), scores.end());
  std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), std::greater<>());
  const float threshold = order[k - 1];
  for (float& score : scores) {
    if (score < threshold) score = kRemoved;
  }
}

// Reference: TopPLogitsWarper. Keeps, from the most likely down, while those above sum to less than p.
void keep_top_p(std::span<float> scores, double p) {
  if (p >= 1.0) return;
  const double log_sum = log_sum_exp(scores);
  std::vector<int32_t> heap;
  for (int32_t id = 0; id < std::ssize(scores); ++id) {
    if (scores[id] != kRemoved) heap.push_back(id);
  }
  // The reference sorts ascending and stably: of equals the higher id is kept first.
  const auto less_likely = [&](int32_t a, int32_t b) {
    return scores[a] != scores[b] ? scores[a] < scores[b] : a < b;
  };
  std::make_heap(heap.begin(), heap.end(), less_likely);
  std::vector<std::pair<int32_t, float>> kept;
  double above = 0.0;
  while (!heap.empty() && (kept.empty() || above < p)) {
    const int32_t id = heap.front();
    std::pop_heap(heap.begin(), heap.end(), less_likely);
    heap.pop_back();
    kept.emplace_back(id, scores[id]);
    above += std::exp(scores[id] - log_sum);
  }
  std::fill(scores.begin(), scores.end(), kRemoved);
  for (const auto& [id, score] : kept) scores[id] = score;
}

// Reference: MinPLogitsWarper.
void keep_min_p(std::span<float> scores, double p) {
  if (p <= 0.0) return;
  const double threshold = *std::max_element(scores.begin(), scores.end()) + std::log(p);
  for (float& score : scores) {
    if (score < threshold) score = kRemoved;
  }
}

Sampler::Sampler(const SamplingOptions& options, std::span<const int32_t> prompt) : options_(options) {
  if (options_.repetition_penalty == 1.0) return;
  seen_.insert(prompt.begin(), prompt.end());
}

void Sampler::accept(int32_t id) {
  seen_.insert(id);
  ++counts_[id];
  ++step_;
}

void Sampler::apply_penalties(std::span<float> scores) const {
  const auto size = static_cast<int32_t>(scores.size());
  if (options_.repetition_penalty != 1.0) {
    const auto penalty = static_cast<float>(options_.repetition_penalty);
    for (const int32_t id : seen_) {
      if (id >= 0 && id < size) scores[id] = scores[id] < 0.0f ? scores[id] * penalty : scores[id] / penalty;
    }
  }
  if (options_.presence_penalty == 0.0 && options_.frequency_penalty == 0.0) return;
  for (const auto& [id, count] : counts_) {
    if (id >= 0 && id < size) {
      scores[id] -= static_cast<float>(options_.presence_penalty +
                                       options_.frequency_penalty * static_cast<double>(count));
    }
  }
}

// By the inverse of the cumulative distribution, in the order of ids.
int32_t Sampler::draw(std::span<float> scores) const {
  const auto temperature = static_cast<float>(options_.temperature);
  // Measured from the best score, so that a tiny temperature cannot overflow; the warpers look at differences
  // only.
  const float largest = *std::max_element(scores.begin(), scores.end());
  for (float& score : scores) score = (score - largest) / temperature;
  keep_top_k(scores, options_.top_k);
  keep_top_p(scores, options_.top_p);
  keep_min_p(scores, options_.min_p);
  double total = 0.0;
  for (const float score : scores) total += std::exp(static_cast<double>(score));
  const double target = uniform_draw(options_.seed, static_cast<uint64_t>(step_)) * total;
  double sum = 0.0;
  int32_t last = 0;
  for (int32_t id = 0; id < std::ssize(scores); ++id) {
    if (scores[id] == kRemoved) continue;
    sum += std::exp(static_cast<double>(scores[id]));
    last = id;
    if (sum > target) break;
  }
  return last;
}

Result<int32_t> Sampler::choose(std::span<float> scores, FormatState* format) const {
  if (is_greedy()) {
    const int32_t best = argmax(scores);
    if (format == nullptr || format->permits(best)) return best;  // without a walk over the vocabulary
  }
  if (format != nullptr) {
    const TokenMask& permitted = format->permitted();
    for (int32_t id = 0; id < std::ssize(scores); ++id) {
      if (!permitted.has(id)) scores[id] = kRemoved;
    }
    if (scores[argmax(scores)] == kRemoved) return internal_error("no token of the vocabulary fits the form of the answer");
  }
  return is_greedy() ? argmax(scores) : draw(scores);
}

Result<SampledToken> Sampler::sample(std::span<const float> logits, FormatState* format) {
  GLYPH_RETURN_IF_ERROR(check_logits(logits));
  scores_.assign(logits.begin(), logits.end());
  apply_penalties(scores_);
  SampledToken token;
  GLYPH_ASSIGN_OR_RETURN(token.id, choose(scores_, format));
  if (options_.top_logprobs >= 0) {
    const double log_sum = log_sum_exp(logits);
    token.logprob = static_cast<float>(logits[token.id] - log_sum);
    token.top_logprobs = largest_logprobs(logits, options_.top_logprobs, log_sum);
  }
  accept(token.id);
  if (format != nullptr) format->accept(token.id);
  return token;
}

}  // namespace glyph
