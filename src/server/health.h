// GET /health and GET /ready: for whoever restarts the server, and for whoever sends it questions.
#pragma once

#include <span>

#include "schedule/scheduler.h"
#include "server/http_message.h"

namespace glyph {

// `stats` are those of each replica, at least one. Of several, "replicas" in the body says of each what "status" and "message" would be
// if it were alone.

// 200 as long as the process can answer, if need be after it has loaded its model again ("reloading", also when one of several does); 503 and
// "failed" with a sentence in "message" when only a restart helps. A failed replica is left out while another one is not.
HttpResponse health_response(std::span<const SchedulerStats> stats);

// 200 while any replica would take a question, 503 with the reason in "status" while none would: "stopping", "busy" when the queues of all
// that run are full, or where none runs "reloading" or "failed".
HttpResponse ready_response(std::span<const SchedulerStats> stats, size_t max_waiting, bool stopping);

}  // namespace glyph
