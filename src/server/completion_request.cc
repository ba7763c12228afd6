#include "server/completion_request.h"

#include <limits>
#include <utility>

#include "answer/sampler.h"

namespace glyph {
namespace json = boost::json;
namespace {

constexpr size_t kMaxPromptBytes = size_t{16} << 20;
constexpr size_t kMaxPromptIds = size_t{1} << 20;

// A text, a list with one text, or a list of token ids.
void read_prompt(const json::object& object, JsonReader& reader, CompletionRequest& request) {
  const json::value* prompt = object.if_contains("prompt");
  if (prompt == nullptr || prompt->is_null()) return reader.fail("prompt", "is missing");
  const json::array* list = prompt->if_array();
  if (list != nullptr && !list->empty() && list->front().is_int64()) {
    for (const int64_t id : reader.integers("prompt", kMaxPromptIds, 0, std::numeric_limits<int32_t>::max())) {
      request.ids.push_back(static_cast<int32_t>(id));
    }
    return;
  }
  if (list != nullptr && list->empty()) return reader.fail("prompt", "is an empty list");
  if (list != nullptr && list->size() > 1) return reader.fail("prompt", "holds several prompts; send one a request");
  if (!prompt->is_string() && (list == nullptr || !list->front().is_string())) {
    return reader.fail("prompt", "must be a text or a list of token ids");
  }
  const auto texts = reader.texts("prompt", 1, kMaxPromptBytes, true);
  if (!texts.empty()) request.prompt = texts.front();
}

void refuse_unsupported(const json::object& object, JsonReader& reader) {
  if (reader.boolean("echo").value_or(false)) reader.fail("echo", "is not offered: the answer is given without its prompt");
  if (!reader.text("suffix", kMaxPromptBytes).value_or("").empty()) reader.fail("suffix", "is not offered by this server");
  if (reader.integer("best_of", 1, 20).value_or(1) > 1) reader.fail("best_of", "is not offered by this server; use n");
  if (object.contains("documents")) reader.fail("documents", "belongs to /v1/chat/completions");
}

}  // namespace

std::variant<CompletionRequest, ApiError> parse_completion_request(std::string_view body) {
  auto parsed = parse_json_object(body);
  if (auto* error = std::get_if<ApiError>(&parsed)) return std::move(*error);
  const json::object& object = std::get<json::object>(parsed);
  JsonReader reader(object);
  CompletionRequest request;
  read_generation(reader, request);
  request.top_logprobs = reader.integer("logprobs", 0, kMaxTopLogprobs);
  if (!request.max_tokens) request.max_tokens = kDefaultCompletionTokens;
  read_prompt(object, reader, request);
  refuse_unsupported(object, reader);
  if (reader.error()) return *reader.error();
  return request;
}

}  // namespace glyph
