#include "server/health.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <string>
#include <utility>

#include "server/api_json.h"

namespace glyph {
namespace {

const char* name_of(EngineState state) {
  switch (state) {
    case EngineState::kRunning: return "ok";
    case EngineState::kReloading: return "reloading";
    case EngineState::kFailed: break;
  }
  return "failed";
}

// One that reloads will run again; one that failed counts when there is no other.
EngineState state_of(std::span<const SchedulerStats> stats) {
  const auto any = [&](EngineState state) { return std::ranges::any_of(stats, [&](const SchedulerStats& one) { return one.engine == state; }); };
  if (any(EngineState::kReloading)) return EngineState::kReloading;
  return any(EngineState::kRunning) ? EngineState::kRunning : EngineState::kFailed;
}

boost::json::object state_json(const char* state, const SchedulerStats& stats) {
  boost::json::object body{{"status", state}};
  if (!stats.engine_failure.empty()) body["message"] = stats.engine_failure;
  return body;
}

HttpResponse state_response(const char* state, std::span<const SchedulerStats> stats, int status) {
  if (stats.size() == 1) return json_response(state_json(state, stats.front()), status);
  boost::json::array replicas;
  for (const SchedulerStats& one : stats) replicas.push_back(state_json(name_of(one.engine), one));
  return json_response({{"status", state}, {"replicas", std::move(replicas)}}, status);
}

}  // namespace

HttpResponse health_response(std::span<const SchedulerStats> stats) {
  const EngineState state = state_of(stats);
  return state_response(name_of(state), stats, state == EngineState::kFailed ? 503 : 200);
}

HttpResponse ready_response(std::span<const SchedulerStats> stats, size_t max_waiting, bool stopping) {
  const auto runs = [](const SchedulerStats& one) { return one.engine == EngineState::kRunning; };
  const auto takes_one = [&](const SchedulerStats& one) { return runs(one) && one.num_waiting < max_waiting; };
  const char* trouble = "";
  if (std::ranges::none_of(stats, takes_one)) trouble = std::ranges::any_of(stats, runs) ? "busy" : name_of(state_of(stats));
  if (stopping) trouble = "stopping";
  if (*trouble == '\0') return state_response("ok", stats, 200);
  HttpResponse response = state_response(trouble, stats, 503);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace glyph
