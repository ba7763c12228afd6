#include "answer/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <limits>
#include <map>

#include "base/text_file.h"

namespace glyph {
namespace {

using ::testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> floats(const boost::json::value& json) {
  std::vector<float> out;
  for (const auto& x : json.as_array()) out.push_back(x.is_null() ? -kInfinity : x.to_number<float>());
  return out;
}

void expect_scores(const std::vector<float>& ours, const std::vector<float>& reference) {
  ASSERT_EQ(ours.size(), reference.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    if (std::isinf(reference[i])) {
      EXPECT_EQ(ours[i], reference[i]) << "id " << i;
    } else {
      EXPECT_NEAR(ours[i], reference[i], 1e-5) << "id " << i;
    }
  }
}

// The scores the sampler works with after the repetition penalty, seen through its own logprobs-free greedy
// choice.
std::vector<float> penalized(std::vector<float> logits, const std::vector<int32_t>& ids, double penalty) {
  for (size_t id = 0; id < logits.size(); ++id) {
    // An alternative of known score beside the id: the choice flips where the penalised score lies.
    if (std::isinf(logits[id])) continue;
    double low = -100.0, high = 100.0;
    for (int step = 0; step < 40; ++step) {
      const double middle = (low + high) / 2;
      std::vector<float> probe(logits.size() + 1, -kInfinity);
      probe[id] = logits[id];
      probe.back() = static_cast<float>(middle);
      SamplingOptions options;
      options.repetition_penalty = penalty;
      Sampler sampler(options, ids);
      (sampler.sample(probe)->id == static_cast<int32_t>(id) ? low : high) = middle;
    }
    logits[id] = static_cast<float>(low);
  }
  return logits;
}

TEST(Sampler, AgreesWithTheReference) {
  const boost::json::value cases = boost::json::parse(*read_file("tests/answer/golden.json", 1 << 20));
  std::map<std::string, int> seen;
  for (const auto& entry : cases.as_array()) {
    const std::string option(entry.at("option").as_string());
    const double value = entry.at("value").to_number<double>();
    SCOPED_TRACE(option + " " + std::to_string(value));
    std::vector<float> scores = floats(entry.at("logits"));
    const auto ids = boost::json::value_to<std::vector<int32_t>>(entry.at("ids"));
    if (option == "top_k") keep_top_k(scores, static_cast<int64_t>(value));
    if (option == "top_p") keep_top_p(scores, value);
    if (option == "min_p") keep_min_p(scores, value);
    if (option == "repetition_penalty") scores = penalized(scores, ids, value);
    if (option == "logprobs") {
      SamplingOptions options;
      options.top_logprobs = 20;
      Sampler sampler(options, ids);
      const std::vector<float> reference = floats(entry.at("scores"));
      const auto token = sampler.sample(scores);
      ASSERT_TRUE(token.ok());
      EXPECT_NEAR(token->logprob, reference[token->id], 1e-5);
      ASSERT_EQ(token->top_logprobs.size(), 20u);
      for (const auto& [id, logprob] : token->top_logprobs) EXPECT_NEAR(logprob, reference[id], 1e-5);
      scores = reference;
    }
    expect_scores(scores, floats(entry.at("scores")));
    ++seen[option];
  }
  EXPECT_EQ(seen.size(), 5u);
}

TEST(Sampler, GreedyTakesTheFirstOfTheLargest) {
  Sampler sampler({}, {});
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 3, 2})->id, 1);
  SamplingOptions options;
  options.temperature = 2.0;
  options.top_k = 1;
  Sampler with_top_k(options, {});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(with_top_k.sample(std::vector<float>{1, 2.9f, 3, 2})->id, 2);
}

TEST(Sampler, TheSameSeedGivesTheSameIds) {
  SamplingOptions options;
  options.temperature = 1.0;
  options.seed = 7;
  const std::vector<float> logits{0, 0.5f, 1, 0.2f, -kInfinity, 0.7f};
  Sampler a(options, {}), b(options, {});
  options.seed = 8;
  Sampler c(options, {});
  int differs = 0;
  for (int i = 0; i < 200; ++i) {
    const int32_t id = a.sample(logits)->id;
    EXPECT_NE(id, 4);
    EXPECT_EQ(id, b.sample(logits)->id);
    differs += id != c.sample(logits)->id;
  }
  EXPECT_GT(differs, 50);
}

TEST(Sampler, DrawsFollowTheDistribution) {
  SamplingOptions options;
  options.temperature = 0.5;
  Sampler sampler(options, {});
  const std::vector<float> logits{0.0f, 0.5f, 1.0f};  // at temperature 0.5: e^0, e^1, e^2
  std::vector<int> counts(3);
  constexpr int kDraws = 30000;
  for (int i = 0; i < kDraws; ++i) ++counts[sampler.sample(logits)->id];
  const double total = 1 + std::exp(1) + std::exp(2);
  EXPECT_NEAR(counts[0] / double{kDraws}, 1 / total, 0.01);
  EXPECT_NEAR(counts[1] / double{kDraws}, std::exp(1) / total, 0.01);
  EXPECT_NEAR(counts[2] / double{kDraws}, std::exp(2) / total, 0.01);
}

TEST(Sampler, AVerySmallTemperatureIsGreedy) {
  SamplingOptions options;
  options.temperature = 1e-4;
  Sampler sampler(options, {});
  for (int i = 0; i < 50; ++i) EXPECT_EQ(sampler.sample(std::vector<float>{90, 90.1f, -3e38f})->id, 1);
}

TEST(Sampler, PresenceAndFrequencyCountTheAnswerOnly) {
  SamplingOptions options;
  options.presence_penalty = 1.0;
  options.frequency_penalty = 0.5;
  Sampler sampler(options, std::vector<int32_t>{1, 1, 1});
  const std::vector<float> logits{0.0f, 3.2f, 2.0f};
  EXPECT_EQ(sampler.sample(logits)->id, 1);  // the prompt does not count
  EXPECT_EQ(sampler.sample(logits)->id, 2);  // 3.2 - 1.5 < 2
  EXPECT_EQ(sampler.sample(logits)->id, 1);  // 2 - 1.5 < 1.7
  EXPECT_EQ(sampler.sample(logits)->id, 1);  // 3.2 - 1 - 1 = 1.2
  EXPECT_EQ(sampler.num_sampled(), 4);
}

TEST(Sampler, AcceptedIdsCountLikeSampledOnes) {
  SamplingOptions options;
  options.repetition_penalty = 2.0;
  Sampler sampler(options, {});
  sampler.accept(0);
  EXPECT_EQ(sampler.sample(std::vector<float>{3.0f, 2.0f})->id, 1);
  EXPECT_EQ(sampler.num_sampled(), 2);
}

TEST(Sampler, RefusesLogitsThatAreNotNumbers) {
  Sampler sampler({}, {});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(sampler.sample(std::vector<float>{1, nan}).status().message(), HasSubstr("not a number"));
  EXPECT_THAT(sampler.sample(std::vector<float>{1, kInfinity}).status().message(), HasSubstr("not a number"));
  EXPECT_THAT(sampler.sample(std::vector<float>{-kInfinity}).status().message(),
              HasSubstr("no finite logit"));
  EXPECT_THAT(sampler.sample(std::span<const float>()).status().message(), HasSubstr("no finite logit"));
  EXPECT_EQ(sampler.num_sampled(), 0);
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 2})->id, 1);
}

TEST(Sampler, ChecksItsOptions) {
  EXPECT_TRUE(check_sampling_options({}).ok());
  const auto refusal = [](auto change) {
    SamplingOptions options;
    change(options);
    return check_sampling_options(options).message();
  };
  EXPECT_THAT(refusal([](auto& o) { o.temperature = -1; }), HasSubstr("temperature is -1, outside 0 to 100"));
  EXPECT_THAT(refusal([](auto& o) { o.temperature = std::nan(""); }), HasSubstr("temperature is nan"));
  EXPECT_THAT(refusal([](auto& o) { o.top_p = 1.5; }), HasSubstr("top_p"));
  EXPECT_THAT(refusal([](auto& o) { o.top_k = -1; }), HasSubstr("top_k"));
  EXPECT_THAT(refusal([](auto& o) { o.repetition_penalty = 0; }), HasSubstr("repetition_penalty"));
  EXPECT_THAT(refusal([](auto& o) { o.top_logprobs = 21; }), HasSubstr("top_logprobs"));
}

}  // namespace
}  // namespace glyph
