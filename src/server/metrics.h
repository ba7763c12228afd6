// GET /metrics: what the server did, as Prometheus reads it, with vLLM's names where they mean the same.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <tuple>

#include "schedule/scheduler.h"
#include "server/exposition.h"
#include "server/http_message.h"
#include "server/request_record.h"

namespace glyph {

// Any thread.
class Metrics {
 public:
  explicit Metrics(std::string model);

  // At the end of a request.
  void add(const RequestRecord& record);
  // `stats` are those of each replica, at least one; of several, samples have the label `engine`, its number. Reads small files of /proc.
  HttpResponse response(std::span<const SchedulerStats> stats, size_t num_connections) const;

 private:
  void add_answer(const AnswerFigures& answer, double ms);
  template <typename ValueOf>
  void write_each(Exposition& out, std::span<const SchedulerStats> stats, const char* name, Exposition::Type type, const char* help,
                  const ValueOf& value_of) const;
  void write_schedulers(Exposition& out, std::span<const SchedulerStats> stats) const;
  void write_caches(Exposition& out, std::span<const SchedulerStats> stats) const;
  void write_disk(Exposition& out, std::span<const SchedulerStats> stats) const;
  void write_cache_config(Exposition& out, std::span<const SchedulerStats> stats) const;
  void write_answers(Exposition& out) const;
  void write_requests(Exposition& out) const;

  const std::string model_;

  mutable std::mutex mutex_;  // guards all below
  std::map<std::tuple<std::string_view, std::string_view, int>, uint64_t> num_requests_;  // by route, method, status
  std::map<std::string_view, Histogram> request_seconds_;                                 // by route
  std::map<std::string, uint64_t, std::less<>> num_answers_;                              // by finish reason
  Histogram first_token_seconds_, token_seconds_, answer_seconds_, queue_seconds_, inference_seconds_, prefill_seconds_, decode_seconds_;
  Histogram prompt_tokens_, computed_tokens_, completion_tokens_, max_tokens_, num_asked_;
};

}  // namespace glyph
