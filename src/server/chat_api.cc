#include "server/chat_api.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "engine/stopwatch.h"
#include "server/answer_submit.h"
#include "server/api_error.h"
#include "server/chat_request.h"
#include "server/file_api.h"

namespace glyph {
namespace {

Result<SourcePtr> source_of(const ApiContext& context, const ChatFile& file, std::stop_token stop) {
  if (!file.id.empty()) return source_of_id(context.files, context.documents, file.id, stop);
  if (!file.url.empty()) {
    GLYPH_ASSIGN_OR_RETURN(FetchedImage image, context.images.fetch(file.url, stop));
    return source_of(context, {.name = fmt::format("image{}", extension_of(image.media_type)), .bytes = std::move(image.bytes)}, stop);
  }
  const Digest key = RecentSources::key_of(file.name, file.bytes);
  if (SourcePtr known = context.recent.find(key)) return known;
  IngestOptions ingest = context.ingest;
  ingest.stop = stop;
  GLYPH_ASSIGN_OR_RETURN(Document document, read_bytes(file.name, file.bytes, ingest));
  const PageStyle style = usual_style(document, context.model.config());
  auto source = std::make_shared<Source>(std::make_shared<const Document>(std::move(document)), style);
  context.recent.add(key, source, file.bytes.size());
  return source;
}

// Before anything is fetched.
std::optional<ApiError> check_addresses(const ApiContext& context, const ChatRequest& request) {
  for (const ChatMessage& message : request.messages) {
    for (const ChatFile& file : message.files) {
      if (file.url.empty()) continue;
      if (const Status status = context.images.check(file.url); !status.ok()) {
        return ApiError{400, fmt::format("{} {}", file.field, status.message()), file.field, "invalid_value"};
      }
    }
  }
  return std::nullopt;
}

// Files become documents; `documents` stand before the first user message.
Result<JobRequest> job_of(const ApiContext& context, const ChatRequest& request, std::stop_token stop) {
  JobRequest job;
  bool placed = request.documents.empty();
  for (const ChatMessage& message : request.messages) {
    ChatTurn turn{message.role, {}, message.text};
    if (!placed && message.role == Role::kUser) {
      placed = true;
      for (const std::string& id : request.documents) {
        GLYPH_ASSIGN_OR_RETURN(SourcePtr source, source_of_id(context.files, context.documents, id, stop));
        turn.sources.push_back(std::move(source));
      }
    }
    for (const ChatFile& file : message.files) {
      GLYPH_ASSIGN_OR_RETURN(SourcePtr source, source_of(context, file, stop));
      turn.sources.push_back(std::move(source));
    }
    job.turns.push_back(std::move(turn));
  }
  return job;
}

}  // namespace

void answer_chat(const ApiContext& context, HttpRequest http, ResponderPtr responder) {
  auto parsed = parse_chat_request(http.body);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return responder->respond(error_response(*error));
  const ChatRequest& request = std::get<ChatRequest>(parsed);
  http.body = {};
  const std::string& model = context.model.name();
  if (const auto error = check_model(request.model, model)) return responder->respond(error_response(*error));
  if (const auto error = check_addresses(context, request)) return responder->respond(error_response(*error));
  const std::stop_token stop = stop_with_client(context.replicas, responder);
  const Stopwatch watch;
  Result<JobRequest> job = job_of(context, request, stop);
  if (!job.ok()) return responder->respond(error_response(job.status()));
  submit_answer(context, request, *std::move(job), {chat_shape(), context.model.tokenizer(), model, http.id, watch.ms()}, responder, stop);
}

}  // namespace glyph
