#include "server/api_json.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

namespace glyph {
namespace json = boost::json;
namespace {

double compression(int64_t text_tokens, int64_t image_tokens) {
  return image_tokens == 0 ? 0 : std::round(100.0 * static_cast<double>(text_tokens) / static_cast<double>(image_tokens)) / 100;
}

double tenths(double value) { return std::round(value * 10) / 10; }

}  // namespace

json::object document_json(const DocumentInfo& info) {
  json::array warnings;
  for (const std::string& warning : info.warnings) warnings.emplace_back(warning);
  json::object object;
  object["id"] = info.id;
  object["object"] = "document";
  object["name"] = info.name;
  object["bytes"] = info.bytes;
  object["created_at"] = info.created_at;
  object["state"] = name_of(info.state);
  object["error"] = info.state == DocumentState::kFailed ? json::value(info.error) : json::value(nullptr);
  object["warnings"] = std::move(warnings);
  object["pages"] = info.pages ? json::value(*info.pages) : json::value(nullptr);
  object["pages_done"] = info.pages_done;
  object["tokens_read"] = info.tokens_read;
  object["tokens_to_read"] = info.tokens_to_read;
  object["text_tokens"] = info.text_tokens;
  object["image_tokens"] = info.image_tokens;
  object["compression"] = compression(info.text_tokens, info.image_tokens);
  object["dpi"] = info.dpi > 0 ? json::value(info.dpi) : json::value(nullptr);
  object["left_ms"] = info.left_ms ? json::value(tenths(*info.left_ms)) : json::value(nullptr);
  return object;
}

json::object usage_json(const AskUsage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}, {"image_tokens", usage.image_tokens}}}};
}

json::object glyph_json(const JobResult& result) {
  const AskTimings& t = result.timings;
  json::array warnings;
  for (const std::string& warning : result.warnings) warnings.emplace_back(warning);
  return {{"pages", result.pages},
          {"text_tokens", result.text_tokens},
          {"image_tokens", result.usage.image_tokens},
          {"compression", compression(result.text_tokens, result.usage.image_tokens)},
          {"cached_tokens", result.usage.cached_tokens},
          {"warnings", std::move(warnings)},
          {"timings_ms",
           {{"extract", tenths(t.extract_ms)}, {"render", tenths(t.render_ms)}, {"vision", tenths(t.vision_ms)}, {"prefill", tenths(t.prefill_ms)},
            {"decode", tenths(t.decode_ms)}, {"ttft", tenths(t.ttft_ms)}, {"total", tenths(t.total_ms)}}}};
}

HttpResponse json_response(const json::object& object, int status) {
  HttpResponse response;
  response.status = status;
  response.body = json::serialize(object);
  return response;
}

std::string event_text(std::string_view data, std::string_view event) {
  return event.empty() ? fmt::format("data: {}\n\n", data) : fmt::format("event: {}\ndata: {}\n\n", event, data);
}

}  // namespace glyph
