#include "answer_json.h"

#include <boost/json.hpp>

#include "json_text.h"

namespace glyph {
namespace {

namespace json = boost::json;

json::object usage_json(const AskUsage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"image_tokens", usage.image_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"cached_tokens", usage.cached_tokens}};
}

json::object timings_json(const AskTimings& t) {
  const auto ms = [](double value) { return rounded(value, 2); };
  return {{"extract", ms(t.extract_ms)}, {"render", ms(t.render_ms)}, {"vision", ms(t.vision_ms)}, {"prefill", ms(t.prefill_ms)},
          {"decode", ms(t.decode_ms)},   {"ttft", ms(t.ttft_ms)},     {"total", ms(t.total_ms)}};
}

}  // namespace

json::object answer_json(const AskResult& result) {
  json::object out{{"answer", result.answer}};
  if (!result.reasoning.empty()) out["reasoning"] = result.reasoning;
  out["finish_reason"] = result.finish_reason;
  out["pages"] = result.pages;
  out["usage"] = usage_json(result.usage);
  out["compression"] = rounded(result.compression(), 3);
  out["timings_ms"] = timings_json(result.timings);
  out["warnings"] = json::value_from(result.warnings);
  return out;
}

}  // namespace glyph
