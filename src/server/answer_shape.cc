#include <boost/json/array.hpp>

#include "server/answer_writer.h"

namespace glyph {
namespace json = boost::json;
namespace {

json::object choice(int index, const char* key, json::value content, json::value logprobs, json::value finish_reason) {
  return {{"index", index}, {key, std::move(content)}, {"logprobs", std::move(logprobs)}, {"finish_reason", std::move(finish_reason)}};
}

class ChatShape : public AnswerShape {
 public:
  const char* id_prefix() const override { return "chatcmpl-"; }
  const char* object_name(bool of_stream) const override { return of_stream ? "chat.completion.chunk" : "chat.completion"; }
  json::object opening(int index) const override {
    return choice(index, "delta", json::object{{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
  }
  json::object piece(int index, bool reasoning, std::string_view text, json::value logprobs) const override {
    return choice(index, "delta", json::object{{reasoning ? "reasoning_content" : "content", text}}, std::move(logprobs), nullptr);
  }
  json::object last(int index, json::value logprobs, const std::string& finish_reason) const override {
    return choice(index, "delta", json::object(), std::move(logprobs), json::value(finish_reason));
  }
  json::object whole(int index, const JobResult::Answer& answer, json::value logprobs) const override {
    json::object message{{"role", "assistant"}, {"content", answer.text}};
    if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
    return choice(index, "message", std::move(message), std::move(logprobs), json::value(answer.finish_reason));
  }
  json::value logprobs(std::span<const TokenLogprob> tokens) const override { return chat_logprobs(tokens); }
};

class CompletionShape : public AnswerShape {
 public:
  const char* id_prefix() const override { return "cmpl-"; }
  const char* object_name(bool) const override { return "text_completion"; }
  json::object opening(int) const override { return {}; }
  json::object piece(int index, bool, std::string_view text, json::value logprobs) const override {
    return choice(index, "text", json::value(text), std::move(logprobs), nullptr);
  }
  json::object last(int index, json::value logprobs, const std::string& finish_reason) const override {
    return choice(index, "text", "", std::move(logprobs), json::value(finish_reason));
  }
  json::object whole(int index, const JobResult::Answer& answer, json::value logprobs) const override {
    return choice(index, "text", json::value(answer.text), std::move(logprobs), json::value(answer.finish_reason));
  }
  json::value logprobs(std::span<const TokenLogprob> tokens) const override { return completion_logprobs(tokens); }
};

}  // namespace

const AnswerShape& chat_shape() {
  static const ChatShape shape;
  return shape;
}

const AnswerShape& completion_shape() {
  static const CompletionShape shape;
  return shape;
}

}  // namespace glyph
