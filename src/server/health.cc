#include "server/health.h"

#include <boost/json/object.hpp>
#include <string>
#include <utility>

#include "server/api_json.h"

namespace glyph {

namespace {

// "" while it computes.
const char* trouble_of(const SchedulerStats& stats) {
  switch (stats.engine) {
    case EngineState::kRunning: return "";
    case EngineState::kReloading: return "reloading";
    case EngineState::kFailed: break;
  }
  return "failed";
}

HttpResponse state_response(const char* state, const SchedulerStats& stats, int status) {
  boost::json::object body{{"status", state}};
  if (!stats.engine_failure.empty()) body["message"] = stats.engine_failure;
  return json_response(std::move(body), status);
}

}  // namespace

HttpResponse health_response(const SchedulerStats& stats) {
  const std::string trouble = trouble_of(stats);
  return state_response(trouble.empty() ? "ok" : trouble.c_str(), stats, stats.engine == EngineState::kFailed ? 503 : 200);
}

HttpResponse ready_response(const SchedulerStats& stats, size_t max_waiting, bool stopping) {
  std::string trouble = trouble_of(stats);
  if (trouble.empty() && stats.num_waiting >= max_waiting) trouble = "busy";
  if (stopping) trouble = "stopping";
  if (trouble.empty()) return state_response("ok", stats, 200);
  HttpResponse response = state_response(trouble.c_str(), stats, 503);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace glyph
