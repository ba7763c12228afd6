#include "server/chat_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

using testing::HasSubstr;

constexpr const char* kMessages = R"("messages":[{"role":"user","content":"Hello"}])";

std::string with(const std::string& fields) { return "{" + std::string(kMessages) + (fields.empty() ? "" : ",") + fields + "}"; }

ChatRequest parsed(const std::string& body) {
  auto result = parse_chat_request(body);
  if (const auto* error = std::get_if<ApiError>(&result)) {
    ADD_FAILURE() << error->message;
    return {};
  }
  return std::get<ChatRequest>(std::move(result));
}

TEST(ChatRequest, ReadsWhatOpenAiClientsSend) {
  const ChatRequest request = parsed(with(R"("model":"m","temperature":0.5,"top_p":0.9,"n":2,"stop":"END","seed":-3,"max_tokens":7,
    "stream":true,"stream_options":{"include_usage":true},"user":"x","presence_penalty":null,"documents":["doc_1"],"stop_token_ids":[5])"));
  EXPECT_EQ(request.sampling.temperature, 0.5);
  EXPECT_EQ(request.num_answers, 2);
  EXPECT_EQ(request.sampling.stop, std::vector<std::string>{"END"});
  EXPECT_EQ(request.max_tokens, 7);
  EXPECT_TRUE(request.stream && request.include_usage && request.use_cache);
  EXPECT_FALSE(parsed(with(R"("cache":false)")).use_cache);
  EXPECT_EQ(request.documents, std::vector<std::string>{"doc_1"});
  EXPECT_EQ(parsed(with(R"("logprobs":true,"top_logprobs":20)")).top_logprobs, 20);
  EXPECT_EQ(parsed(with(R"("logprobs":false)")).top_logprobs, std::nullopt);
  EXPECT_EQ(parsed(with(R"("response_format":{"type":"json_object"})")).format->nodes[1].types, JsonSchema::kObject);
  EXPECT_FALSE(parsed(with(R"("response_format":{"type":"text"})")).format);
  EXPECT_EQ(parsed(with(R"("max_tokens":7,"max_completion_tokens":9)")).max_tokens, 9);
}

TEST(ChatRequest, ReadsParts) {
  const ChatRequest request = parsed(R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[
    {"type":"text","text":"one"},{"type":"image_url","image_url":{"url":"data:image/png;base64,Zm9v"}},
    {"type":"file","file":{"filename":"a.txt","file_data":"data:text/plain;base64,YmFy"}},{"type":"file","file":{"file_id":"doc_1"}},
    {"type":"image_url","image_url":{"url":"https://a.example/b.png"}},{"type":"text","text":"two"}]}]})");
  ASSERT_EQ(request.messages.size(), 2u);
  const ChatMessage& message = request.messages[1];
  EXPECT_EQ(message.text, "one\ntwo");
  ASSERT_EQ(message.files.size(), 4u);
  EXPECT_EQ(message.files[0].bytes, "foo");
  EXPECT_EQ(message.files[1].name, "a.txt");
  EXPECT_EQ(message.files[2].id, "doc_1");
  EXPECT_EQ(message.files[3].url, "https://a.example/b.png");
  EXPECT_EQ(message.files[3].field, "messages[1].content[4].image_url.url");
}

class Refused : public testing::TestWithParam<std::string> {};

TEST_P(Refused, NamesTheField) {
  const std::string& line = GetParam();
  const size_t bar = line.find('|');
  const auto result = parse_chat_request(with(line.substr(bar + 1)));
  const auto* error = std::get_if<ApiError>(&result);
  ASSERT_NE(error, nullptr) << line;
  EXPECT_EQ(error->status, 400);
  EXPECT_THAT(error->message, HasSubstr(line.substr(0, bar)));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, Refused,
    testing::Values("temperature|\"temperature\":-0.1", "temperature|\"temperature\":2.1", "temperature|\"temperature\":\"hot\"",
                    "temperature|\"temperature\":1e999", "top_p|\"top_p\":1.01", "top_p|\"top_p\":-1", "top_k|\"top_k\":-2", "top_k|\"top_k\":1.5",
                    "n must be|\"n\":0", "n must be|\"n\":5", "n must be|\"n\":true", "max_tokens|\"max_tokens\":0", "max_tokens|\"max_tokens\":99999999999999999999",
                    "max_completion_tokens|\"max_completion_tokens\":-1", "presence_penalty|\"presence_penalty\":2.5",
                    "frequency_penalty|\"frequency_penalty\":[]", "repetition_penalty|\"repetition_penalty\":0", "seed|\"seed\":0.5", "stop|\"stop\":[\"\"]",
                    "stop|\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "stop|\"stop\":7", "stop_token_ids|\"stop_token_ids\":[-1]", "stream|\"stream\":1",
                    "logprobs|\"logprobs\":1", "top_logprobs|\"top_logprobs\":3", "top_logprobs|\"logprobs\":true,\"top_logprobs\":21",
                    "top_logprobs|\"logprobs\":true,\"top_logprobs\":-1", "response_format|\"response_format\":{\"type\":\"xml\"}",
                    "response_format|\"response_format\":\"json_object\"", "response_format|\"response_format\":{\"type\":\"json_schema\"}",
                    "json_schema.schema|\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{}}",
                    "keyword minimum|\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"minimum\":3}}}",
                    "stop cannot|\"stop\":\"}\",\"response_format\":{\"type\":\"json_object\"}", "ignore_eos cannot|\"ignore_eos\":true,\"response_format\":{\"type\":\"json_object\"}",
                    "ignore_eos must|\"ignore_eos\":1", "stream_options|\"stream_options\":{\"include_usage\":1}",
                    "tools|\"tools\":[{}]", "documents|\"documents\":\"doc\"", "documents|\"documents\":[1]", "not valid JSON|\"temperature\":NaN"));

TEST(ChatRequest, RefusesConversationsThatAreNone) {
  for (const char* body : {"", "[]", "{}", R"({"messages":[]})", R"({"messages":{}})", R"({"messages":[1]})", R"({"messages":[{"role":"user"}]})",
                           R"({"messages":[{"role":"robot","content":"x"}]})", R"({"messages":[{"role":"user","content":""}]})",
                           R"({"messages":[{"role":"assistant","content":"x"}]})", R"({"messages":[{"role":"user","content":[{"type":"audio"}]}]})",
                           R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://a/b.png"}}]}]})",
                           R"({"messages":[{"role":"user","content":"\xff"}]})", "{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}"}) {
    const auto result = parse_chat_request(body);
    EXPECT_TRUE(std::holds_alternative<ApiError>(result)) << body;
  }
}

TEST(ChatRequest, DeepNestingIsRefused) {
  const auto result = parse_chat_request(with("\"x\":" + std::string(1'000'000, '[')));
  ASSERT_TRUE(std::holds_alternative<ApiError>(result));
  EXPECT_THAT(std::get<ApiError>(result).message, HasSubstr("nests deeper"));
}

}  // namespace
}  // namespace glyph
