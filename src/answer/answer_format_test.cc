#include "answer/answer_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "answer/sampler.h"

namespace glyph {
namespace {

constexpr int32_t kStop = 256;  // after the 256 bytes

// Every byte, a control token, and longer tokens that cross the borders of JSON's grammar and of characters.
const std::vector<std::string>& vocabulary() {
  static const std::vector<std::string> tokens = [] {
    std::vector<std::string> all;
    for (int byte = 0; byte < 256; ++byte) all.emplace_back(1, static_cast<char>(byte));
    all.emplace_back();
    for (const char* text : {"{\"", "\":", "\": \"", "\"}", "\", \"", "[[", "]]", "true", "false}", "null,", "12", "1.5", "name", "\"name\"", "}}", "\n  ",
                             "\xE4\xBD", "\xA0\xE5\xA5\xBD", "\\u00", "\\\"", "a\"", "hello"}) {
      all.emplace_back(text);
    }
    all.push_back(std::string(kMaxTokenBytes + 1, 'x'));
    return all;
  }();
  return tokens;
}

std::shared_ptr<const AnswerFormat> format_of(const std::string& schema) {
  static const auto trie = std::make_shared<const TokenTrie>(vocabulary());
  auto compiled = compile_json_schema(schema);
  EXPECT_TRUE(compiled.ok()) << compiled.status().message();
  return std::make_shared<const AnswerFormat>(AnswerFormat{*std::move(compiled), trie});
}

// What the walk over the trie finds is what each token alone would be told.
TEST(AnswerFormat, MaskAndTokensAgree) {
  std::mt19937 random(3);
  for (const char* schema : {"true", R"({"type":"object","properties":{"name":{"type":"string"},"n":{"enum":[1,12,"1.5"]}},"required":["n"]})"}) {
    for (int round = 0; round < 40; ++round) {
      FormatState state(format_of(schema), {kStop, 'x'});
      for (int step = 0; step < 60 && !state.closed(); ++step) {
        std::vector<int32_t> choices;
        for (int32_t id = 0; id < static_cast<int32_t>(vocabulary().size()); ++id) {
          ASSERT_EQ(state.permitted().has(id), state.permits(id)) << id << " in " << schema;
          if (state.permits(id) && id != kStop && id != 'x') choices.push_back(id);
        }
        EXPECT_EQ(state.permits(kStop), state.complete());
        if (choices.empty()) break;
        state.accept(choices[random() % choices.size()]);
      }
    }
  }
}

TEST(AnswerFormat, ControlAndOverlongTokensNeverCome) {
  FormatState state(format_of("true"), {});
  state.accept('"');
  EXPECT_FALSE(state.permits(kStop));
  EXPECT_FALSE(state.permits(static_cast<int32_t>(vocabulary().size()) - 1));
  EXPECT_FALSE(state.permits(-1));
  EXPECT_FALSE(state.permits(100'000));
  EXPECT_TRUE(state.permits('x'));
}

std::string sampled(const SamplingOptions& options, const std::shared_ptr<const AnswerFormat>& format, uint32_t seed, int max_tokens, bool& closed) {
  Sampler sampler(options, {});
  FormatState state(format, {kStop});
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 4);
  std::string text;
  for (int i = 0; i < max_tokens && !state.closed(); ++i) {
    std::vector<float> logits(vocabulary().size());
    for (float& logit : logits) logit = normal(random);
    for (const char byte : {'"', '}', ']'}) logits[static_cast<size_t>(byte)] += 6;
    const auto token = sampler.sample(logits, &state);
    EXPECT_TRUE(token.ok()) << token.status().message();
    if (!token.ok() || token->id == kStop) break;
    text += vocabulary()[static_cast<size_t>(token->id)];
  }
  closed = state.complete();
  return text;
}

TEST(AnswerFormat, SampledAnswersParse) {
  const auto format = format_of(R"({"type":"object","properties":{"name":{"type":"string"},"list":{"type":"array","items":{"type":"number"}},"more":{}}})");
  int num_closed = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SamplingOptions options;
    options.temperature = seed % 3 == 0 ? 0.0 : 1.0;
    options.top_p = seed % 3 == 2 ? 0.8 : 1.0;
    options.repetition_penalty = seed % 2 == 0 ? 1.0 : 1.2;
    options.seed = seed;
    bool closed = false;
    const std::string text = sampled(options, format, seed, 200, closed);
    boost::system::error_code error;
    boost::json::parse(text, error);
    EXPECT_EQ(!error, closed) << text;
    num_closed += closed;
  }
  EXPECT_GT(num_closed, 40);
}

// Masked sampling is sampling from the model's distribution with the others taken out.
TEST(AnswerFormat, TheDistributionIsTheModelsOwn) {
  const auto format = format_of(R"({"enum":["p","q","r"]})");
  std::vector<float> logits(vocabulary().size(), 5.0f);
  logits['"'] = -3.0f;
  logits['p'] = 0.0f;
  logits['q'] = 1.0f;
  logits['r'] = -1.0f;
  double counts[3] = {0, 0, 0};
  constexpr int kDraws = 4000;
  for (int i = 0; i < kDraws; ++i) {
    SamplingOptions options;
    options.temperature = 1;
    options.seed = static_cast<uint64_t>(i);
    Sampler sampler(options, {});
    FormatState state(format, {kStop});
    EXPECT_EQ(sampler.sample(logits, &state)->id, '"');
    const int32_t id = sampler.sample(logits, &state)->id;
    ASSERT_TRUE(id >= 'p' && id <= 'r');
    ++counts[id - 'p'];
  }
  const double sum = 1 + std::exp(1.0) + std::exp(-1.0);
  EXPECT_NEAR(counts[0] / kDraws, 1 / sum, 0.03);
  EXPECT_NEAR(counts[1] / kDraws, std::exp(1.0) / sum, 0.03);
  EXPECT_NEAR(counts[2] / kDraws, std::exp(-1.0) / sum, 0.03);
}

TEST(AnswerFormat, AVocabularyThatCannotSpellTheFormIsAnError) {
  const auto trie = std::make_shared<const TokenTrie>(std::vector<std::string>{"a", "b", "{"});
  const auto format = std::make_shared<const AnswerFormat>(AnswerFormat{JsonSchema::any_object(), trie});
  Sampler sampler({}, {});
  FormatState state(format, {});
  const std::vector<float> logits{3, 2, 1};
  EXPECT_EQ(sampler.sample(logits, &state)->id, 2);
  const auto stuck = sampler.sample(logits, &state);
  ASSERT_FALSE(stuck.ok());
  EXPECT_THAT(stuck.status().message(), testing::HasSubstr("no token"));
}

}  // namespace
}  // namespace glyph
