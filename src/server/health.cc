#include "server/health.h"

#include <boost/json/object.hpp>

#include "server/api_json.h"

namespace glyph {

HttpResponse health_response() { return json_response({{"status", "ok"}}); }

HttpResponse ready_response(const SchedulerStats& stats, size_t max_waiting, bool stopping) {
  const bool busy = stats.num_waiting >= max_waiting;
  if (!stopping && !busy) return json_response({{"status", "ok"}});
  HttpResponse response = json_response({{"status", stopping ? "stopping" : "busy"}}, 503);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace glyph
