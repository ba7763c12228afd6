// RequestRecord: what became of a request, for the log and the metrics. Nothing in it comes from a prompt, a document or a key.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace glyph {

struct JobResult;  // schedule/request.h

// What the engine counted while it answered.
struct AnswerFigures {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;      // of the prompt
  int64_t completion_tokens = 0;  // of all answers
  double ttft_ms = 0;             // from submission to the first token
  double prefill_ms = 0;
  double decode_ms = 0;
  double total_ms = 0;
  std::vector<std::string> finish_reasons;  // one an answer
  double queue_ms = 0;            // of total_ms, in which nothing was done for it
  int64_t max_tokens = 0;         // that an answer was allowed

  static AnswerFigures of(const JobResult& result);
};

struct RequestRecord {
  // The client left before its answer was complete; as other servers write it.
  static constexpr int kClientGone = 499;

  std::string id;            // as in X-Request-Id
  std::string_view method;   // known_method()
  std::string_view route;    // route_pattern()
  int status = 0;            // of the response, or kClientGone
  double ms = 0;             // from the complete header to the last byte handed to the socket
  uint64_t bytes_in = 0;     // of the body
  uint64_t bytes_out = 0;    // header and body
  std::string client;        // its address
  std::optional<AnswerFigures> answer;
};

// Called on the server's thread at the end of each request; must not block.
using RequestObserver = std::function<void(const RequestRecord& record)>;

// The method, or "other": clients can send any word.
std::string_view known_method(std::string_view method);

// "/v1/documents/doc_1/pages/3" -> "/v1/documents/{id}/pages/{n}"; "/{file}" for the page's files, "other" for what the server has not.
// A path may hold words of a user and never goes into a log or a metric itself.
std::string_view route_pattern(std::string_view path);

}  // namespace glyph
