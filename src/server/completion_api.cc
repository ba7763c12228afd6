#include "server/completion_api.h"

#include <fmt/format.h>

#include <utility>

#include "server/answer_submit.h"
#include "server/api_error.h"
#include "server/completion_request.h"

namespace glyph {
namespace {

// Ids come as they are, text behind the tokens that every prompt begins with.
std::variant<std::vector<int32_t>, ApiError> prompt_of(const Model& model, const CompletionRequest& request) {
  const ControlTokens& control = model.control();
  for (const int32_t id : request.ids) {
    if (id >= model.tokenizer().vocab_size()) {
      return ApiError{400, fmt::format("prompt holds the id {}, the vocabulary ends at {}", id, model.tokenizer().vocab_size() - 1), "prompt", "invalid_value"};
    }
    if (id == control.image || id == control.begin_of_image || id == control.end_of_image) {
      return ApiError{400, fmt::format("prompt holds the id {}, which stands for a picture; pictures belong to /v1/chat/completions", id), "prompt", "invalid_value"};
    }
  }
  if (!request.ids.empty()) return request.ids;
  std::vector<int32_t> ids{control.gmask, control.sop};
  model.tokenizer().append_plain(request.prompt, ids);
  return ids;
}

}  // namespace

void answer_completion(const ApiContext& context, HttpRequest http, ResponderPtr responder) {
  auto parsed = parse_completion_request(http.body);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return responder->respond(error_response(*error));
  const CompletionRequest& request = std::get<CompletionRequest>(parsed);
  http.body = {};
  const std::string& model = context.model.name();
  if (const auto error = check_model(request.model, model)) return responder->respond(error_response(*error));
  auto prompt = prompt_of(context.model, request);
  if (const auto* error = std::get_if<ApiError>(&prompt)) return responder->respond(error_response(*error));
  JobRequest job;
  job.prompt_ids = std::get<std::vector<int32_t>>(std::move(prompt));
  submit_answer(context, request, std::move(job), {completion_shape(), context.model.tokenizer(), model, http.id, 0}, responder,
                stop_with_client(context.replicas, responder));
}

}  // namespace glyph
