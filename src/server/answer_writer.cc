#include "server/answer_writer.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <utility>

#include "server/api_error.h"
#include "server/api_json.h"
#include "server/request_record.h"

namespace glyph {
namespace json = boost::json;
namespace {

int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

AnswerWriter::AnswerWriter(Setup setup, const GenerationRequest& request, ResponderPtr responder)
    : setup_(std::move(setup)), stream_(request.stream), include_usage_(request.include_usage), logprobs_(request.top_logprobs.has_value()),
      num_answers_(request.num_answers), id_(setup_.shape.id_prefix() + setup_.request_id.substr(setup_.request_id.find('_') + 1)),
      responder_(std::move(responder)), created_(now_seconds()), tokens_(static_cast<size_t>(request.num_answers)) {}

JobListener AnswerWriter::listener(std::shared_ptr<AnswerWriter> writer) {
  JobListener listener;
  if (writer->logprobs_) listener.on_token = [writer](int index, const SampledToken& token) { writer->token(index, token); };
  if (writer->stream_) {
    listener.on_text = [writer](int index, bool reasoning, std::string_view text) { writer->write(index, reasoning, text); };
  }
  listener.on_end = [writer](Result<JobResult> result) { writer->end(std::move(result)); };
  return listener;
}

void AnswerWriter::token(int index, const SampledToken& token) {
  Tokens& tokens = tokens_[static_cast<size_t>(index)];
  tokens.waiting.push_back(token_logprob(setup_.tokenizer, token, tokens.num_characters));
  tokens.num_characters += num_characters(tokens.waiting.back().bytes);
}

// Those of the tokens since the last piece: text may be held back while a character or a stop string is unfinished.
json::value AnswerWriter::take_logprobs(int index) {
  if (!logprobs_) return nullptr;
  return setup_.shape.logprobs(std::exchange(tokens_[static_cast<size_t>(index)].waiting, {}));
}

void AnswerWriter::write(int index, bool reasoning, std::string_view text) {
  begin();
  send_choice(setup_.shape.piece(index, reasoning, text, take_logprobs(index)));
}

void AnswerWriter::end(Result<JobResult> result) {
  if (!result.ok()) return fail(result.status());
  result->timings.extract_ms = setup_.extract_ms;
  responder_->report(AnswerFigures::of(*result));
  if (!stream_) return responder_->respond(json_response(whole(*result)));
  begin();
  for (int i = 0; i < num_answers_; ++i) {
    const bool closing = i + 1 == num_answers_ && !include_usage_;
    send_choice(setup_.shape.last(i, take_logprobs(i), result->answers[static_cast<size_t>(i)].finish_reason), closing ? &*result : nullptr);
  }
  if (include_usage_) {
    json::object object = head(true);
    object["choices"] = json::array();
    object["usage"] = usage_json(result->usage);
    object["glyph"] = glyph_json(*result);
    responder_->send(event_text(json::serialize(object)));
  }
  responder_->send(event_text("[DONE]"));
  responder_->end_stream();
}

void AnswerWriter::begin() {
  if (begun_) return;
  begun_ = true;
  responder_->begin_stream();
  for (int i = 0; i < num_answers_; ++i) {
    if (json::object opening = setup_.shape.opening(i); !opening.empty()) send_choice(std::move(opening));
  }
}

void AnswerWriter::fail(const Status& status) {
  if (!begun_) return responder_->respond(error_response(status));
  responder_->send(event_text(error_json({http_status(status.code()), status.message(), {}, {}})));
  responder_->end_stream();
}

json::object AnswerWriter::head(bool of_stream) const {
  return {{"id", id_}, {"object", setup_.shape.object_name(of_stream)}, {"created", created_}, {"model", setup_.model}};
}

void AnswerWriter::send_choice(json::object choice, const JobResult* result) {
  json::object object = head(true);
  object["choices"] = json::array{std::move(choice)};
  if (result != nullptr) object["glyph"] = glyph_json(*result);
  responder_->send(event_text(json::serialize(object)));
}

json::object AnswerWriter::whole(const JobResult& result) {
  json::object object = head(false);
  json::array choices;
  for (int i = 0; i < num_answers_; ++i) choices.push_back(setup_.shape.whole(i, result.answers[static_cast<size_t>(i)], take_logprobs(i)));
  object["choices"] = std::move(choices);
  object["usage"] = usage_json(result.usage);
  object["glyph"] = glyph_json(result);
  return object;
}

}  // namespace glyph
