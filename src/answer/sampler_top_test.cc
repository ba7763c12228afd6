// Choosing by the largest logits gives what choosing by all of them gives.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "answer/sampler.h"

namespace glyph {
namespace {

ops::TopLogits top_of(const std::vector<float>& logits) {
  const auto n = static_cast<int64_t>(logits.size());
  Tensor row(host_device(), DType::kF32, {1, n}), out(host_device(), DType::kF32, {1, ops::kTopLogitsSize});
  std::memcpy(row.view().raw(), logits.data(), row.num_bytes());
  ops::top_logits(host_device(), row.view(), out.view());
  ops::TopLogits top;
  std::memcpy(&top, out.view().raw(), sizeof(top));
  return top;
}

// Two samplers side by side for some steps; gives how often the second one needed all logits.
struct SideBySide {
  SamplingOptions options;
  int64_t vocabulary = 1000;
  float step = 0;  // logits are rounded to multiples of it, so that there are equals; 0: not
  int num_steps = 40;

  int run(uint32_t seed) const {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 3);
    const std::vector<int32_t> prompt{1, 5, 9, 200, 201};
    Sampler by_all(options, prompt), by_top(options, prompt);
    int fetched = 0;
    for (int i = 0; i < num_steps; ++i) {
      std::vector<float> logits(static_cast<size_t>(vocabulary));
      for (float& x : logits) x = step == 0 ? normal(random) : std::round(normal(random) / step) * step;
      const ops::TopLogits top = top_of(logits);
      const ops::LogitsRow row(top, vocabulary, [&]() -> Result<std::span<const float>> {
        ++fetched;
        return std::span<const float>(logits);
      });
      const auto expected = by_all.sample(logits);
      const auto token = by_top.sample(row);
      EXPECT_TRUE(expected.ok() && token.ok());
      EXPECT_EQ(token->id, expected->id) << "step " << i;
      EXPECT_NEAR(token->logprob, expected->logprob, 1e-6);
      EXPECT_EQ(token->top_logprobs.size(), expected->top_logprobs.size());
      for (size_t n = 0; n < token->top_logprobs.size(); ++n) {
        EXPECT_EQ(token->top_logprobs[n].first, expected->top_logprobs[n].first);
        EXPECT_NEAR(token->top_logprobs[n].second, expected->top_logprobs[n].second, 1e-6);
      }
    }
    return fetched;
  }
};

TEST(SamplerOfLargest, GreedyNeedsNoMore) {
  EXPECT_EQ((SideBySide{.options = {}}.run(1)), 0);
  EXPECT_EQ((SideBySide{.options = {.top_logprobs = 20}}.run(2)), 0);
  EXPECT_EQ((SideBySide{.options = {.repetition_penalty = 1.1}}.run(3)), 0);
  EXPECT_EQ((SideBySide{.options = {.presence_penalty = 1, .frequency_penalty = 0.5}}.run(4)), 0);
  EXPECT_EQ((SideBySide{.options = {.temperature = 0.0001, .top_k = 1, .repetition_penalty = 1.1}}.run(5)), 0);
}

TEST(SamplerOfLargest, DrawsAmongTheBestNeedNoMore) {
  for (const int64_t k : {2, 5, 40, 63}) {
    EXPECT_EQ((SideBySide{.options = {.temperature = 1, .top_k = k, .seed = 7}}.run(6)), 0) << k;
    EXPECT_EQ((SideBySide{.options = {.temperature = 0.7, .top_k = k, .top_p = 0.8, .min_p = 0.01, .seed = 8, .top_logprobs = 3}}.run(7)), 0) << k;
  }
  EXPECT_LT((SideBySide{.options = {.temperature = 2, .top_k = 20, .repetition_penalty = 1.2, .presence_penalty = 0.3, .seed = 9}}.run(8)), 5);
}

TEST(SamplerOfLargest, AsksForAllWhereOthersMatter) {
  EXPECT_EQ((SideBySide{.options = {.temperature = 1, .seed = 1}}.run(9)), 40) << "a draw from all";
  EXPECT_EQ((SideBySide{.options = {.temperature = 1, .top_k = 200, .seed = 1}}.run(10)), 40);
  EXPECT_EQ((SideBySide{.options = {.repetition_penalty = 0.5}}.run(11)), 40) << "a penalty that raises";
  EXPECT_EQ((SideBySide{.options = {.presence_penalty = -1}}.run(12)), 40);
  EXPECT_EQ((SideBySide{.options = {.frequency_penalty = -1}}.run(13)), 40);
}

TEST(SamplerOfLargest, MindsEquals) {
  SideBySide coarse{.options = {.temperature = 1, .top_k = 8, .seed = 3}, .vocabulary = 3000, .step = 1};
  coarse.run(14);
  coarse.step = 4;  // more equals than are known
  EXPECT_GT(coarse.run(15), 0);
  coarse.options = {.repetition_penalty = 1.3, .presence_penalty = 0.5};
  EXPECT_GT(coarse.run(16), 0);
  coarse.options = {.temperature = 100, .top_k = 64, .seed = 4};
  coarse.step = 0.25f;
  coarse.run(17);
}

TEST(SamplerOfLargest, AShortRowIsKnownWhole) {
  for (const int64_t n : {1, 2, 64}) {
    EXPECT_EQ((SideBySide{.options = {.temperature = 1, .top_p = 0.9, .seed = 5}, .vocabulary = n}.run(18)), 0) << n;
  }
}

TEST(SamplerOfLargest, SaysWhatIsWrong) {
  std::vector<float> logits(100, 1.0f);
  logits[70] = std::numeric_limits<float>::quiet_NaN();
  const ops::TopLogits top = top_of(logits);
  const ops::LogitsRow row(top, 100, [&]() -> Result<std::span<const float>> { return std::span<const float>(logits); });
  Sampler sampler({}, {});
  EXPECT_EQ(sampler.sample(row).status().message(), "the model gave a logit that is not a number");
  EXPECT_EQ(sampler.num_sampled(), 0);
  const ops::LogitsRow lost(top, 100, []() -> Result<std::span<const float>> { return internal_error("the GPU is gone"); });
  EXPECT_EQ(sampler.sample(lost).status().message(), "the GPU is gone");
}

}  // namespace
}  // namespace glyph
