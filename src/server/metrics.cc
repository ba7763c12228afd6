#include "server/metrics.h"

#include <fmt/format.h>

namespace glyph {
namespace {

// Label values escape backslash, quote and line end.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') out += "\\n";
    else out += c;
  }
  return out;
}

}  // namespace

HttpResponse metrics_response(const std::string& model, const SchedulerStats& stats, size_t num_connections) {
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  const std::string label = fmt::format("{{model_name=\"{}\"}}", escaped(model));
  const auto add = [&](const char* name, const char* type, const char* help, double value) {
    response.body += fmt::format("# HELP {} {}\n# TYPE {} {}\n{}{} {}\n", name, help, name, type, name, label, value);
  };
  const double used = stats.max_kv_blocks == 0 ? 0 : static_cast<double>(stats.kv_blocks_in_use) / static_cast<double>(stats.max_kv_blocks);
  add("vllm:num_requests_running", "gauge", "Requests and documents being read or answered.", static_cast<double>(stats.num_running));
  add("vllm:num_requests_waiting", "gauge", "Questions that wait.", static_cast<double>(stats.num_waiting));
  add("vllm:kv_cache_usage_perc", "gauge", "KV blocks in use, 1 is all of them.", used);
  add("vllm:prompt_tokens_total", "counter", "Prompt tokens of finished questions.", static_cast<double>(stats.prompt_tokens));
  add("vllm:generation_tokens_total", "counter", "Tokens written.", static_cast<double>(stats.generated_tokens));
  add("vllm:prefix_cache_queries_total", "counter", "Prompt tokens looked up in the cache.", static_cast<double>(stats.prompt_tokens));
  add("vllm:prefix_cache_hits_total", "counter", "Prompt tokens found in the cache.", static_cast<double>(stats.cached_tokens));
  add("glyph_requests_finished_total", "counter", "Questions and documents that were completed.", static_cast<double>(stats.num_finished));
  add("glyph_requests_failed_total", "counter", "Questions and documents that ended with an error.", static_cast<double>(stats.num_failed));
  add("glyph_requests_cancelled_total", "counter", "Questions and documents whose client went away.", static_cast<double>(stats.num_cancelled));
  add("glyph_feature_cache_bytes", "gauge", "Features of pages kept in memory.", static_cast<double>(stats.feature_bytes));
  add("glyph_prefix_cache_bytes", "gauge", "KV of documents kept in memory.", static_cast<double>(stats.prefix_bytes));
  add("glyph_connections", "gauge", "Open connections.", static_cast<double>(num_connections));
  return response;
}

}  // namespace glyph
