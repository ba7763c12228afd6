#include "server/generation_request.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <limits>
#include <utility>

namespace glyph {
namespace json = boost::json;
namespace {

constexpr int64_t kMaxTokens = int64_t{1} << 20;
constexpr int64_t kMaxId = std::numeric_limits<int32_t>::max();

void read_sampling(JsonReader& reader, GenerationRequest& request) {
  SamplingRequest& sampling = request.sampling;
  sampling.temperature = reader.number("temperature", 0, 2);
  sampling.top_p = reader.number("top_p", 0, 1);
  sampling.top_k = reader.integer("top_k", -1, 1'000'000);
  if (sampling.top_k == -1) sampling.top_k = 0;
  sampling.repetition_penalty = reader.number("repetition_penalty", 0.01, 100);
  request.presence_penalty = reader.number("presence_penalty", -2, 2).value_or(0);
  request.frequency_penalty = reader.number("frequency_penalty", -2, 2).value_or(0);
  const auto seed = reader.integer("seed", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max());
  sampling.seed = static_cast<uint64_t>(seed.value_or(0));
  sampling.stop = reader.texts("stop", 4, 1024, true);
  for (const std::string& stop : sampling.stop) {
    if (stop.empty()) reader.fail("stop", "holds an empty text");
  }
  sampling.ignore_eos = reader.boolean("ignore_eos").value_or(false);
  for (const int64_t id : reader.integers("stop_token_ids", 64, 0, kMaxId)) request.stop_ids.push_back(static_cast<int32_t>(id));
  request.max_tokens = reader.integer("max_completion_tokens", 1, kMaxTokens);
  if (const auto older = reader.integer("max_tokens", 1, kMaxTokens); older && !request.max_tokens) request.max_tokens = older;
  request.num_answers = static_cast<int>(reader.integer("n", 1, kMaxAnswers).value_or(1));
}

// {"type":"json_schema","json_schema":{"name":...,"schema":{...},"strict":...}}: always kept to, strict or not.
void read_schema(const json::object& format, JsonReader& reader, GenerationRequest& request) {
  JsonReader fields(format, "response_format.");
  const json::object* wrapper = fields.object("json_schema");
  if (wrapper == nullptr) return reader.fail("response_format", "has no object json_schema");
  JsonReader inner(*wrapper, "response_format.json_schema.");
  inner.text("name", 256);
  inner.text("description", 65536);
  inner.boolean("strict");
  const json::object* schema = inner.object("schema");
  if (inner.error()) return reader.fail("response_format", fmt::format("is not acceptable: {}", inner.error()->message));
  if (schema == nullptr) return reader.fail("response_format", "has no object json_schema.schema");
  Result<JsonSchema> compiled = compile_json_schema(json::serialize(*schema));
  if (!compiled.ok()) return reader.fail("response_format", fmt::format("is not acceptable: {}", compiled.status().message()));
  request.format = *std::move(compiled);
}

void read_format(JsonReader& reader, GenerationRequest& request) {
  const json::object* format = reader.object("response_format");
  if (format == nullptr) return;
  JsonReader fields(*format, "response_format.");
  const std::string type = fields.text("type", 64).value_or("");
  if (type == "text") return;
  if (type == "json_object") request.format = JsonSchema::any_object();
  else if (type == "json_schema") read_schema(*format, reader, request);
  else return reader.fail("response_format", "must have the type text, json_object or json_schema");
  if (request.format && !request.sampling.stop.empty()) {
    reader.fail("stop", "cannot be combined with response_format: the answer could end before its JSON does");
  }
  if (request.format && request.sampling.ignore_eos) {
    reader.fail("ignore_eos", "cannot be combined with response_format: its JSON ends where it is complete");
  }
}

// What would change the answer and is not here. Empty, it would change nothing.
void refuse_unsupported(JsonReader& reader) {
  for (const char* key : {"logit_bias", "audio", "web_search_options"}) {
    if (const json::object* object = reader.object(key); object != nullptr && !object->empty()) reader.fail(key, "is not offered by this server");
  }
  if (reader.number("min_p", 0, 1).value_or(0) != 0) reader.fail("min_p", "is not offered by this server; use top_p or top_k");
  for (const std::string& modality : reader.texts("modalities", 8, 64)) {
    if (modality != "text") reader.fail("modalities", "may only name text: this server gives nothing else");
  }
}

}  // namespace

void read_generation(JsonReader& reader, GenerationRequest& request) {
  request.model = reader.text("model", 1024).value_or("");
  request.use_cache = reader.boolean("cache").value_or(true);
  request.stream = reader.boolean("stream").value_or(false);
  if (const json::object* options = reader.object("stream_options")) {
    JsonReader fields(*options, "stream_options.");
    request.include_usage = fields.boolean("include_usage").value_or(false);
    if (fields.error()) reader.fail("stream_options", "must be {\"include_usage\": true or false}");
  }
  read_sampling(reader, request);
  read_format(reader, request);
  refuse_unsupported(reader);
}

void apply_generation(const GenerationRequest& request, JobRequest& job) {
  job.sampling = request.sampling;
  job.presence_penalty = request.presence_penalty;
  job.frequency_penalty = request.frequency_penalty;
  job.stop_ids = request.stop_ids;
  job.max_tokens = request.max_tokens;
  job.num_answers = request.num_answers;
  job.use_cache = request.use_cache;
  job.top_logprobs = request.top_logprobs.value_or(-1);
}

std::optional<ApiError> check_model(const std::string& asked, const std::string& served) {
  if (asked.empty() || asked == served || asked == "glyph") return std::nullopt;
  return ApiError{404, fmt::format("there is no model '{}'; this server has '{}'", asked, served), "model", "model_not_found"};
}

}  // namespace glyph
