#include "server/completion_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

using testing::HasSubstr;

CompletionRequest parsed(const std::string& body) {
  auto result = parse_completion_request(body);
  if (const auto* error = std::get_if<ApiError>(&result)) {
    ADD_FAILURE() << error->message;
    return {};
  }
  return std::get<CompletionRequest>(std::move(result));
}

TEST(CompletionRequest, ReadsWhatOpenAiClientsSend) {
  const CompletionRequest request = parsed(R"({"model":"m","prompt":"Once","n":4,"logprobs":5,"echo":false,"suffix":null,"best_of":1,"stop":["\n"]})");
  EXPECT_EQ(request.prompt, "Once");
  EXPECT_EQ(request.num_answers, 4);
  EXPECT_EQ(request.top_logprobs, 5);
  EXPECT_EQ(request.max_tokens, kDefaultCompletionTokens);
  EXPECT_EQ(parsed(R"({"prompt":["only"],"max_tokens":3})").prompt, "only");
  EXPECT_EQ(parsed(R"({"prompt":[1,2,3]})").ids, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(parsed(R"({"prompt":""})").top_logprobs, std::nullopt);
}

class RefusedCompletion : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(RefusedCompletion, NamesTheField) {
  const auto result = parse_completion_request(GetParam().first);
  const auto* error = std::get_if<ApiError>(&result);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->status, 400);
  EXPECT_THAT(error->message, HasSubstr(GetParam().second));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, RefusedCompletion,
    testing::Values(std::pair{"{}", "prompt is missing"}, std::pair{R"({"prompt":null})", "prompt is missing"}, std::pair{R"({"prompt":7})", "prompt must be"},
                    std::pair{R"({"prompt":[]})", "empty list"}, std::pair{R"({"prompt":["a","b"]})", "several prompts"},
                    std::pair{R"({"prompt":[[1]]})", "prompt must be"}, std::pair{R"({"prompt":[1,"a"]})", "prompt must hold"},
                    std::pair{R"({"prompt":[1,-1]})", "prompt must hold"}, std::pair{R"({"prompt":[1,2.5]})", "prompt must hold"},
                    std::pair{R"({"prompt":"a","echo":true})", "echo is not offered"}, std::pair{R"({"prompt":"a","suffix":"b"})", "suffix"},
                    std::pair{R"({"prompt":"a","best_of":2})", "best_of"}, std::pair{R"({"prompt":"a","logprobs":21})", "logprobs must be"},
                    std::pair{R"({"prompt":"a","logprobs":true})", "logprobs must be"}, std::pair{R"({"prompt":"a","n":5})", "n must be"},
                    std::pair{R"({"prompt":"a","documents":["doc_1"]})", "documents belongs"}, std::pair{R"({"prompt":"a","temperature":3})", "temperature"}));

}  // namespace
}  // namespace glyph
