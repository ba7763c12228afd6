// How answers are written: logprobs, penalties, stop ids, several answers, JSON forms, text completions. Through real sockets.
#include <boost/json/serialize.hpp>
#include <cmath>
#include <map>

#include "language/kv_cache.h"
#include "server/server_fixture.h"
#include "tokenize/prompt.h"

namespace glyph {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

class AnswerApiTest : public ServerTest {
 protected:
  ClientResponse complete(const std::string& fields, const std::string& prompt = "Once upon a time") {
    return request("POST", "/v1/completions", R"({"prompt":")" + prompt + "\"" + (fields.empty() ? "" : ",") + fields + "}");
  }
  static std::string content(const ClientResponse& response, int index = 0) {
    return json::value_to<std::string>(at(response, "/choices/" + std::to_string(index) + "/message/content"));
  }
  static std::vector<json::value> events(const ClientResponse& response) {
    std::vector<json::value> all;
    for (size_t place = 0; (place = response.body.find("data: {", place)) != std::string::npos; ++place) {
      all.push_back(json::parse(response.body.substr(place + 6, response.body.find("\n\n", place) - place - 6)));
    }
    return all;
  }
};

// log softmax of the logits after `ids`, in double.
std::vector<double> reference_logprobs(const Model& model, const std::vector<int32_t>& ids) {
  KvCache cache(model.kv_blocks());
  auto prompt = model.language().begin_prefill(ids, {}, cache);
  EXPECT_TRUE(prompt.ok()) << prompt.status().message();
  const auto logits = model.language().read(*prompt, 0, static_cast<int64_t>(ids.size()), cache, true);
  EXPECT_TRUE(logits.ok()) << logits.status().message();
  const std::span<const float> row = logits->row(0).all().value();
  std::vector<double> out(row.begin(), row.end());
  double largest = out[0], sum = 0;
  for (const double x : out) largest = std::max(largest, x);
  for (const double x : out) sum += std::exp(x - largest);
  for (double& x : out) x -= largest + std::log(sum);
  return out;
}

TEST_F(AnswerApiTest, LogprobsAreTheSoftmaxOfTheLogits) {
  const auto prompt = build_prompt(model_->tokenizer(), model_->control(), {}, "What is it about?");
  ASSERT_TRUE(prompt.ok());
  const std::vector<double> expected = reference_logprobs(*model_, prompt->ids);
  std::vector<int32_t> text{model_->control().gmask, model_->control().sop};
  model_->tokenizer().append_plain("Once upon a time", text);
  const std::vector<double> expected_text = reference_logprobs(*model_, text);
  start();

  const auto chat = ask(R"("logprobs":true,"top_logprobs":20,"repetition_penalty":1.3,"temperature":1,"seed":4)");
  ASSERT_EQ(chat.status, 200) << chat.body;
  const json::value first = at(chat, "/choices/0/logprobs/content/0");
  EXPECT_EQ(at(chat, "/choices/0/logprobs/content").as_array().size(), 12u);
  ASSERT_EQ(first.at("top_logprobs").as_array().size(), 20u);
  const auto id_of = [](const json::value& token) { return token.at("bytes").at(0).to_number<int>(); };  // the tiny vocabulary: bytes
  ASSERT_EQ(first.at("bytes").as_array().size(), 1u);
  EXPECT_NEAR(first.at("logprob").to_number<double>(), expected[static_cast<size_t>(id_of(first))], 1e-4);
  double above = 0;
  for (const json::value& other : first.at("top_logprobs").as_array()) {
    const double logprob = other.at("logprob").to_number<double>();
    EXPECT_LE(logprob, above);
    above = logprob;
    if (other.at("bytes").as_array().size() != 1) continue;  // a control token
    EXPECT_NEAR(logprob, expected[static_cast<size_t>(id_of(other))], 1e-4);
  }
  const auto plain = complete(R"("logprobs":3,"max_tokens":5,"temperature":0)");
  ASSERT_EQ(plain.status, 200) << plain.body;
  EXPECT_NEAR(at(plain, "/choices/0/logprobs/token_logprobs/0").to_number<double>(), *std::max_element(expected_text.begin(), expected_text.end()), 1e-4);
  EXPECT_EQ(at(plain, "/choices/0/logprobs/tokens").as_array().size(), 5u);
  EXPECT_EQ(at(plain, "/choices/0/logprobs/text_offset/0"), 0);
  EXPECT_EQ(at(ask(""), "/choices/0/logprobs"), nullptr);
}

TEST_F(AnswerApiTest, StreamedLogprobsAreThoseOfTheWhole) {
  start();
  const std::string fields = R"("n":2,"logprobs":true,"top_logprobs":2,"temperature":1,"stop":["\u0001\u0001\u0001"])";
  const auto whole = ask(fields);
  std::map<int64_t, json::array> streamed;
  std::map<int64_t, std::string> texts;
  for (const json::value& event : events(ask(fields + R"(,"stream":true)"))) {
    for (const json::value& choice : event.at("choices").as_array()) {
      const int64_t index = choice.at("index").to_number<int64_t>();
      if (const json::value* text = choice.at("delta").as_object().if_contains("content")) texts[index] += json::value_to<std::string>(*text);
      if (!choice.at("logprobs").is_object()) continue;
      for (const json::value& token : choice.at("logprobs").at("content").as_array()) streamed[index].push_back(token);
    }
  }
  for (const int index : {0, 1}) {
    EXPECT_EQ(texts[index], content(whole, index));
    EXPECT_EQ(json::value(streamed[index]), at(whole, "/choices/" + std::to_string(index) + "/logprobs/content"));
  }
  std::string pieces, text;
  size_t characters = 0;
  for (const json::value& event : events(complete(R"("stream":true,"logprobs":1,"max_tokens":30)"))) {
    const json::value& choice = event.at("choices").at(0);
    text += json::value_to<std::string>(choice.at("text"));
    if (!choice.at("logprobs").is_object()) continue;
    for (const json::value& offset : choice.at("logprobs").at("text_offset").as_array()) {
      EXPECT_GE(offset.to_number<size_t>(), characters);
      characters = offset.to_number<size_t>();
    }
  }
  EXPECT_EQ(text, json::value_to<std::string>(at(complete(R"("max_tokens":30)"), "/choices/0/text")));
}

TEST_F(AnswerApiTest, CompletionsContinueTextAndIds) {
  start();
  const auto text = complete(R"("max_tokens":8,"n":4,"temperature":1)");
  ASSERT_EQ(text.status, 200) << text.body;
  EXPECT_EQ(text_at(text, "object"), "text_completion");
  EXPECT_EQ(at(text, "/choices").as_array().size(), 4u);
  EXPECT_EQ(at(text, "/usage/prompt_tokens"), 18);
  EXPECT_EQ(at(text, "/usage/completion_tokens"), 32);
  EXPECT_EQ(at(complete(""), "/usage/completion_tokens"), 16);  // OpenAI's default
  std::string ids = std::to_string(model_->control().gmask) + "," + std::to_string(model_->control().sop);
  for (const char c : std::string("Once upon a time")) ids += "," + std::to_string(static_cast<int>(c));
  const auto of_ids = request("POST", "/v1/completions", "{\"max_tokens\":8,\"prompt\":[" + ids + "]}");
  EXPECT_EQ(at(of_ids, "/choices/0/text"), at(complete(R"("max_tokens":8)"), "/choices/0/text"));
  EXPECT_EQ(request("POST", "/v1/completions", R"({"prompt":[999999]})").status, 400);
  EXPECT_THAT(request("POST", "/v1/completions", "{\"prompt\":[" + std::to_string(model_->control().image) + "]}").body, HasSubstr("stands for a picture"));
  EXPECT_EQ(complete(R"("echo":true)").status, 400);
  EXPECT_EQ(complete(R"("model":"gpt-9")").status, 404);
}

TEST_F(AnswerApiTest, PenaltiesAndStopIdsChangeTheAnswer) {
  start();
  const std::string greedy = R"("temperature":0,"max_tokens":120,"logprobs":true)";
  const auto num_repeats = [](const ClientResponse& response) {
    std::map<std::string, int> counts;
    int repeats = 0;
    const json::value tokens = at(response, "/choices/0/logprobs/content");
    for (const json::value& token : tokens.as_array()) repeats += counts[json::serialize(token.at("bytes"))]++ > 0;
    return repeats;
  };
  const int without = num_repeats(ask(greedy));
  EXPECT_GT(without, num_repeats(ask(greedy + R"(,"presence_penalty":2,"frequency_penalty":2)")));
  EXPECT_GT(without, num_repeats(ask(greedy + R"(,"frequency_penalty":2)")));
  EXPECT_GT(without, num_repeats(ask(greedy + R"(,"repetition_penalty":5)")));

  const auto plain = ask(greedy);
  const json::value third = at(plain, "/choices/0/logprobs/content/2/bytes/0");
  const auto stopped = ask(greedy + ",\"stop_token_ids\":[" + json::serialize(third) + "]");
  EXPECT_EQ(at(stopped, "/choices/0/finish_reason"), "stop");
  EXPECT_LE(at(stopped, "/usage/completion_tokens").to_number<int64_t>(), 3);
  EXPECT_EQ(at(plain, "/choices/0/finish_reason"), "length");
  EXPECT_EQ(at(request("POST", "/v1/chat/completions", R"({"max_completion_tokens":3,"max_tokens":50,"messages":[{"role":"user","content":"x"}]})"),
               "/usage/completion_tokens"), 3);
}

TEST_F(AnswerApiTest, AnswersKeepToTheirForm) {
  start();
  const std::string schema = R"("response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":{"type":"object","properties":{
    "verdict":{"enum":["yes","no"]},"count":{"type":"integer"},"notes":{"type":"array","items":{"type":"string"}}},
    "required":["verdict","count"],"additionalProperties":false}}})";
  int num_whole = 0;
  for (int seed = 0; seed < 12; ++seed) {
    const std::string sampling = R"(,"temperature":1,"seed":)" + std::to_string(seed) + R"(,"max_tokens":)" + (seed < 2 ? "4" : "600");
    for (const std::string& format : {schema, std::string(R"("response_format":{"type":"json_object"})")}) {
      const auto answer = request("POST", "/v1/chat/completions", R"({"messages":[{"role":"user","content":"x"}],)" + format + sampling + "}");
      ASSERT_EQ(answer.status, 200) << answer.body;
      boost::system::error_code error;
      const json::value value = json::parse(content(answer), error);
      const bool whole = at(answer, "/choices/0/finish_reason") == "stop";
      EXPECT_TRUE(!whole || (!error && value.is_object())) << content(answer);
      EXPECT_EQ(whole, !error) << content(answer);
      num_whole += whole;
      if (!whole || format != schema) continue;
      EXPECT_THAT(json::value_to<std::string>(value.at("verdict")), testing::AnyOf("yes", "no"));
      EXPECT_TRUE(value.at("count").is_int64());
    }
  }
  EXPECT_GT(num_whole, 0);
  const auto number = ask(R"("response_format":{"type":"json_schema","json_schema":{"schema":{"type":"integer"}}})");
  EXPECT_EQ(number.status, 200);
  EXPECT_TRUE(json::parse(content(number)).is_int64()) << content(number);
  EXPECT_THAT(ask(R"("response_format":{"type":"json_schema","json_schema":{"schema":{"properties":{"a":{"pattern":"x"}}}}})").body,
              HasSubstr("properties.a.pattern"));
}

}  // namespace
}  // namespace glyph
