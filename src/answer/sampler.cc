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

float Sampler::penalised(int32_t id, float score) const {
  if (options_.repetition_penalty != 1.0 && seen_.contains(id)) {
    const auto penalty = static_cast<float>(options_.repetition_penalty);
    score = score < 0.0f ? score * penalty : score / penalty;
  }
  if (options_.presence_penalty == 0.0 && options_.frequency_penalty == 0.0) return score;
  const auto found = counts_.find(id);
  if (found == counts_.end()) return score;
  return score - static_cast<float>(options_.presence_penalty + options_.frequency_penalty * static_cast<double>(found->second));
}

void Sampler::apply_penalties(std::span<float> scores) const {
  const auto size = static_cast<int32_t>(scores.size());
  const auto apply = [&](int32_t id) {
    if (id >= 0 && id < size) scores[id] = penalised(id, scores[id]);
  };
  if (options_.repetition_penalty != 1.0) {
    for (const int32_t id : seen_) apply(id);  // those of the answer, too
  } else if (options_.presence_penalty != 0.0 || options_.frequency_penalty != 0.0) {
    for (const auto& [id, count] : counts_) apply(id);
  }
}

// Whether no penalty can raise a score.
bool Sampler::only_lowers() const {
  return options_.repetition_penalty >= 1.0 && options_.presence_penalty >= 0.0 && options_.frequency_penalty >= 0.0;
}

// By the inverse of the cumulative distribution, in the order of `scores`, which is that of ids. Gives a place in it.
size_t Sampler::draw(std::span<float> scores) const {
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
  size_t last = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] == kRemoved) continue;
    sum += std::exp(static_cast<double>(scores[i]));
    last = i;
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
  return is_greedy() ? argmax(scores) : static_cast<int32_t>(draw(scores));
}

// The same as choose() of the whole row, or nothing where other ids could matter. Every other logit is at most the smallest of those
// known, and a penalty only makes it less.
std::optional<int32_t> Sampler::choose_of_largest(const ops::LogitsRow& row, FormatState* format) const {
  const ops::TopLogits& top = *row.top();
  if (!only_lowers()) return {};
  const bool others = row.size() > top.count;
  const float bound = others ? top.values[top.count - 1] : kRemoved;
  std::vector<std::pair<int32_t, float>> known;
  known.reserve(static_cast<size_t>(top.count));
  for (int32_t i = 0; i < top.count; ++i) known.emplace_back(top.ids[i], penalised(top.ids[i], top.values[i]));
  const auto worse = [](const auto& a, const auto& b) { return a.second != b.second ? a.second < b.second : a.first > b.first; };
  const std::pair<int32_t, float> best = *std::max_element(known.begin(), known.end(), worse);
  if (others && best.second <= bound) return {};
  if (is_greedy()) return format == nullptr || format->permits(best.first) ? std::optional<int32_t>(best.first) : std::nullopt;
  if (format != nullptr) return {};
  std::sort(known.begin(), known.end());  // by id
  // A draw is among the k best, and sees scores as distances from the best one.
  std::vector<float> order, scores;
  for (const auto& [id, score] : known) scores.push_back(score);
  if (others) {
    if (options_.top_k <= 0 || options_.top_k > top.count) return {};
    order = scores;
    const auto kth = order.begin() + (options_.top_k - 1);
    std::nth_element(order.begin(), kth, order.end(), std::greater<>());
    const auto temperature = static_cast<float>(options_.temperature);
    if (!((*kth - best.second) / temperature > (bound - best.second) / temperature)) return {};
  }
  return known[draw(scores)].first;
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
  return take(std::move(token), format);
}

Result<SampledToken> Sampler::sample(const ops::LogitsRow& row, FormatState* format) {
  if (row.top() != nullptr && row.top()->bad == 0 && row.top()->values[0] != kRemoved) {
    const ops::TopLogits& top = *row.top();
    if (const std::optional<int32_t> id = choose_of_largest(row, format)) {
      SampledToken token{.id = *id, .logprob = 0, .top_logprobs = {}};
      const auto logprob = [&](float logit) { return static_cast<float>(logit - top.log_sum); };
      for (int32_t i = 0; i < top.count && options_.top_logprobs >= 0; ++i) {
        if (top.ids[i] == *id) token.logprob = logprob(top.values[i]);
        if (i < options_.top_logprobs) token.top_logprobs.emplace_back(top.ids[i], logprob(top.values[i]));
      }
      return take(std::move(token), format);
    }
  }
  GLYPH_ASSIGN_OR_RETURN(const std::span<const float> all, row.all());
  return sample(all, format);
}

SampledToken Sampler::take(SampledToken token, FormatState* format) {
  accept(token.id);
  if (format != nullptr) format->accept(token.id);
  return token;
}

}  // namespace glyph
