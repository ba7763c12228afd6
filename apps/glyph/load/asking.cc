#include "load/asking.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <string_view>

#include "engine/stopwatch.h"
#include "json_text.h"

namespace glyph {
namespace json = boost::json;
namespace {

constexpr std::string_view kBoundary = "glyph-load";

Result<json::object> object_of(const SessionAnswer& answer, std::string_view what) {
  boost::system::error_code error;
  const json::value value = json::parse(answer.body, error);
  if (answer.status < 200 || answer.status > 299) {
    const json::value* message = error ? nullptr : value.find_pointer("/error/message", error);
    return refused(fmt::format("{}: status {}: {}", what, answer.status,
                               message != nullptr && message->is_string() ? std::string(message->get_string()) : answer.body.substr(0, 200)));
  }
  if (error || !value.is_object()) return internal_error(fmt::format("{}: the server's answer is not a JSON object", what));
  return value.get_object();
}

Result<std::string> string_of(const json::object& object, std::string_view key, std::string_view what) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return internal_error(fmt::format("{}: the server's answer has no {}", what, key));
  return std::string(value->get_string());
}

int64_t number_at(const json::value& value, const char* pointer) {
  boost::system::error_code error;
  const json::value* found = value.find_pointer(pointer, error);
  return found != nullptr && found->is_number() ? found->to_number<int64_t>(error) : 0;
}

// What a stream of server-sent events brought so far, read as it grows.
class AnswerStream {
 public:
  explicit AnswerStream(LoadAnswer& answer) : answer_(answer) {}

  void read(std::string_view body) {
    for (size_t end; (end = body.find("\n\n", at_)) != std::string_view::npos; at_ = end + 2) read_event(body.substr(at_, end - at_));
  }
  bool done() const { return done_; }

 private:
  void read_event(std::string_view event) {
    constexpr std::string_view kData = "data: ";
    if (!event.starts_with(kData)) return;  // a comment
    event.remove_prefix(kData.size());
    if (event == "[DONE]") {
      done_ = true;
      return;
    }
    boost::system::error_code error;
    const json::value value = json::parse(json::string_view(event.data(), event.size()), error);
    if (error) return;
    if (const json::value* message = value.find_pointer("/error/message", error); message != nullptr && message->is_string()) {
      answer_.problem = message->get_string();
    }
    const json::value* text = value.find_pointer("/choices/0/delta/content", error);
    if (text == nullptr) text = value.find_pointer("/choices/0/delta/reasoning_content", error);
    if (answer_.first_token_ms == 0 && text != nullptr && text->is_string() && !text->get_string().empty()) answer_.first_token_ms = watch_.ms();
    if (const int64_t tokens = number_at(value, "/usage/completion_tokens"); tokens > 0) {
      answer_.tokens = tokens;
      answer_.cached_tokens = number_at(value, "/usage/prompt_tokens_details/cached_tokens");
    }
  }

  LoadAnswer& answer_;
  const Stopwatch watch_;
  size_t at_ = 0;
  bool done_ = false;
};

}  // namespace

Result<std::string> upload_text(HttpSession& session, const std::string& name, const std::string& text) {
  const SessionRequest upload{"POST", "/v1/documents",
                           fmt::format("--{0}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{1}\"\r\n\r\n{2}\r\n--{0}--\r\n", kBoundary, name, text),
                           fmt::format("multipart/form-data; boundary={}", kBoundary)};
  GLYPH_ASSIGN_OR_RETURN(const SessionAnswer answer, session.ask(upload));
  GLYPH_ASSIGN_OR_RETURN(const json::object document, object_of(answer, name));
  GLYPH_ASSIGN_OR_RETURN(const std::string id, string_of(document, "id", name));
  GLYPH_RETURN_IF_ERROR(session.ask({"GET", "/v1/documents/" + id + "/events", {}, {}}).status());  // they end when it was read
  GLYPH_ASSIGN_OR_RETURN(const SessionAnswer look, session.ask({"GET", "/v1/documents/" + id, {}, {}}));
  GLYPH_ASSIGN_OR_RETURN(const json::object now, object_of(look, name));
  GLYPH_ASSIGN_OR_RETURN(const std::string state, string_of(now, "state", name));
  return state == "ready" ? Result<std::string>(id) : refused(fmt::format("{}: the server did not read it: {}", name, json_text(now)));
}

Result<std::string> served_model(HttpSession& session) {
  GLYPH_ASSIGN_OR_RETURN(const SessionAnswer answer, session.ask({"GET", "/v1/models", {}, {}}));
  GLYPH_ASSIGN_OR_RETURN(const json::object models, object_of(answer, "/v1/models"));
  boost::system::error_code error;
  const json::value list = models;
  const json::value* id = list.find_pointer("/data/0/id", error);
  if (id == nullptr || !id->is_string()) return internal_error("/v1/models: the server names no model");
  return std::string(id->get_string());
}

Result<LoadAnswer> ask_about(HttpSession& session, const std::string& model, const std::string& document, int64_t number, int64_t max_tokens) {
  const json::object body{{"model", model},
                          {"documents", json::array{document}},
                          {"messages", json::array{json::object{{"role", "user"}, {"content", fmt::format("What is said in the {}th sentence?", number + 2)}}}},
                          {"max_tokens", max_tokens},
                          {"ignore_eos", true},
                          {"temperature", 0},
                          {"stream", true},
                          {"stream_options", json::object{{"include_usage", true}}}};
  LoadAnswer result;
  AnswerStream stream(result);
  const Stopwatch watch;
  GLYPH_ASSIGN_OR_RETURN(const SessionAnswer answer, session.ask({"POST", "/v1/chat/completions", json_text(body), "application/json"},
                                                              [&](std::string_view so_far) { stream.read(so_far); }));
  result.total_ms = watch.ms();
  if (answer.status != 200) {
    result.problem = object_of(answer, "a question").status().message();
  } else if (result.problem.empty() && (!stream.done() || result.tokens == 0)) {
    result.problem = "the answer was cut off";
  }
  return result;
}

}  // namespace glyph
