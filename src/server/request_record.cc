#include "server/request_record.h"

#include <array>

#include "schedule/request.h"
#include "server/static_files.h"

namespace glyph {
namespace {

// A segment in braces stands for any segment.
constexpr std::array<std::string_view, 26> kPatterns{
    "/health", "/ready", "/version", "/metrics", "/tokenize", "/detokenize",
    "/v1/models", "/v1/models/{id}", "/v1/chat/completions", "/v1/completions", "/v1/render",
    "/v1/documents", "/v1/documents/{id}", "/v1/documents/{id}/events", "/v1/documents/{id}/text", "/v1/documents/{id}/find",
    "/v1/documents/{id}/pages/{n}",
    "/v1/conversations", "/v1/conversations/{id}",
    "/v1/files", "/v1/files/{id}", "/v1/files/{id}/content", "/v1/files/{id}/events",
    "/v1/batches", "/v1/batches/{id}", "/v1/batches/{id}/cancel",
};

std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);  // '/'
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

bool matches(std::string_view path, std::string_view pattern) {
  while (!path.empty() && !pattern.empty()) {
    const std::string_view wanted = take_segment(pattern), given = take_segment(path);
    if (wanted.starts_with('{') ? given.empty() : given != wanted) return false;
  }
  return path.empty() && pattern.empty();
}

}  // namespace

AnswerFigures AnswerFigures::of(const JobResult& result) {
  AnswerFigures figures{result.usage.prompt_tokens, result.usage.cached_tokens, result.usage.completion_tokens, result.timings.ttft_ms,
                        result.timings.prefill_ms, result.timings.decode_ms, result.timings.total_ms, {},
                        result.queue_ms, result.max_tokens};
  for (const JobResult::Answer& answer : result.answers) figures.finish_reasons.push_back(answer.finish_reason);
  return figures;
}

std::string_view known_method(std::string_view method) {
  for (const std::string_view known : {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"}) {
    if (method == known) return known;
  }
  return "other";
}

std::string_view route_pattern(std::string_view path) {
  if (!path.starts_with('/')) return "other";
  for (const std::string_view pattern : kPatterns) {
    if (matches(path, pattern)) return pattern;
  }
  return is_static_file(path) ? "/{file}" : "other";
}

}  // namespace glyph
