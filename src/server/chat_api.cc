#include "server/chat_api.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <utility>

#include "server/api_error.h"
#include "server/api_json.h"
#include "server/chat_request.h"
#include "server/request_record.h"

namespace glyph {
namespace json = boost::json;
namespace {

int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Writes an answer as the engine gives it: events, or one object at the end. Engine thread.
class ChatWriter {
 public:
  ChatWriter(const ChatRequest& request, std::string model, std::string id, ResponderPtr responder, double extract_ms)
      : stream_(request.stream), include_usage_(request.include_usage), num_answers_(request.num_answers), model_(std::move(model)),
        id_(std::move(id)), responder_(std::move(responder)), extract_ms_(extract_ms) {}

  void write(int index, bool reasoning, std::string_view text) {
    if (!stream_) return;
    begin();
    responder_->send(chunk(choice(index, {{reasoning ? "reasoning_content" : "content", text}}, nullptr)));
  }

  void end(Result<JobResult> result) {
    if (!result.ok()) return fail(result.status());
    result->timings.extract_ms = extract_ms_;
    responder_->report(AnswerFigures::of(*result));
    if (!stream_) return responder_->respond(json_response(whole(*result)));
    begin();
    for (int i = 0; i < num_answers_; ++i) {
      json::object last = choice(i, {}, result->answers[static_cast<size_t>(i)].finish_reason.c_str());
      const bool closing = i + 1 == num_answers_ && !include_usage_;
      responder_->send(chunk(std::move(last), closing ? &*result : nullptr));
    }
    if (include_usage_) {
      json::object object = head("chat.completion.chunk");
      object["choices"] = json::array();
      object["usage"] = usage_json(result->usage);
      object["glyph"] = glyph_json(*result);
      responder_->send(event_text(json::serialize(object)));
    }
    responder_->send(event_text("[DONE]"));
    responder_->end_stream();
  }

 private:
  void begin() {
    if (begun_) return;
    begun_ = true;
    responder_->begin_stream();
    for (int i = 0; i < num_answers_; ++i) responder_->send(chunk(choice(i, {{"role", "assistant"}, {"content", ""}}, nullptr)));
  }

  void fail(const Status& status) {
    if (!begun_) return responder_->respond(error_response(status));
    responder_->send(event_text(error_json({http_status(status.code()), status.message(), {}, {}})));
    responder_->end_stream();
  }

  json::object head(const char* type) const { return {{"id", id_}, {"object", type}, {"created", created_}, {"model", model_}}; }

  static json::object choice(int index, json::object delta, const char* finish_reason) {
    return {{"index", index}, {"delta", std::move(delta)}, {"logprobs", nullptr},
            {"finish_reason", finish_reason == nullptr ? json::value(nullptr) : json::value(finish_reason)}};
  }

  std::string chunk(json::object one_choice, const JobResult* result = nullptr) const {
    json::object object = head("chat.completion.chunk");
    object["choices"] = json::array{std::move(one_choice)};
    if (result != nullptr) object["glyph"] = glyph_json(*result);
    return event_text(json::serialize(object));
  }

  json::object whole(const JobResult& result) const {
    json::object object = head("chat.completion");
    json::array choices;
    for (size_t i = 0; i < result.answers.size(); ++i) {
      const JobResult::Answer& answer = result.answers[i];
      json::object message{{"role", "assistant"}, {"content", answer.text}};
      if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
      choices.push_back({{"index", i}, {"message", std::move(message)}, {"logprobs", nullptr}, {"finish_reason", answer.finish_reason}});
    }
    object["choices"] = std::move(choices);
    object["usage"] = usage_json(result.usage);
    object["glyph"] = glyph_json(result);
    return object;
  }

  const bool stream_, include_usage_;
  const int num_answers_;
  const std::string model_, id_;
  const ResponderPtr responder_;
  const double extract_ms_;
  const int64_t created_ = now_seconds();
  bool begun_ = false;
};

Result<SourcePtr> source_of(const ChatContext& context, const ChatFile& file, std::stop_token stop) {
  if (!file.document_id.empty()) return context.documents.source(file.document_id, stop);
  IngestOptions ingest = context.ingest;
  ingest.stop = stop;
  GLYPH_ASSIGN_OR_RETURN(Document document, read_bytes(file.name, file.bytes, ingest));
  const PageStyle style = PageStyle::for_document(document);
  return std::make_shared<Source>(Source{std::make_shared<const Document>(std::move(document)), style, {}});
}

// Files become documents; `documents` stand before the first user message.
Result<JobRequest> job_of(const ChatContext& context, const ChatRequest& request, std::stop_token stop) {
  JobRequest job;
  bool placed = request.documents.empty();
  for (const ChatMessage& message : request.messages) {
    ChatTurn turn{message.role, {}, message.text};
    if (!placed && message.role == Role::kUser) {
      placed = true;
      for (const std::string& id : request.documents) {
        GLYPH_ASSIGN_OR_RETURN(SourcePtr source, context.documents.source(id, stop));
        turn.sources.push_back(std::move(source));
      }
    }
    for (const ChatFile& file : message.files) {
      GLYPH_ASSIGN_OR_RETURN(SourcePtr source, source_of(context, file, stop));
      turn.sources.push_back(std::move(source));
    }
    job.turns.push_back(std::move(turn));
  }
  job.sampling = request.sampling;
  job.presence_penalty = request.presence_penalty;
  job.frequency_penalty = request.frequency_penalty;
  job.stop_ids = request.stop_ids;
  job.max_tokens = request.max_tokens;
  job.num_answers = request.num_answers;
  job.use_cache = request.use_cache;
  return job;
}

}  // namespace

void answer_chat(const ChatContext& context, HttpRequest http, ResponderPtr responder) {
  auto parsed = parse_chat_request(http.body);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return responder->respond(error_response(*error));
  const ChatRequest& request = std::get<ChatRequest>(parsed);
  http.body = {};
  const std::string& model = context.model.name();
  if (!request.model.empty() && request.model != model && request.model != "glyph") {
    return responder->respond(error_response(ApiError{404, fmt::format("there is no model '{}'; this server has '{}'", request.model, model),
                                                      "model", "model_not_found"}));
  }
  auto stop = std::make_shared<std::stop_source>();
  responder->on_gone([stop, &scheduler = context.scheduler] {
    stop->request_stop();
    scheduler.notify();
  });
  const Stopwatch watch;
  Result<JobRequest> job = job_of(context, request, stop->get_token());
  if (!job.ok()) return responder->respond(error_response(job.status()));

  auto writer = std::make_shared<ChatWriter>(request, model, "chatcmpl-" + http.id.substr(http.id.find('_') + 1), responder, watch.ms());
  JobListener listener;
  listener.on_text = [writer](int index, bool reasoning, std::string_view text) { writer->write(index, reasoning, text); };
  listener.on_end = [writer](Result<JobResult> result) { writer->end(std::move(result)); };
  const Status status = context.scheduler.submit(*std::move(job), std::move(listener), stop->get_token());
  if (!status.ok()) responder->respond(error_response(status));
}

}  // namespace glyph
