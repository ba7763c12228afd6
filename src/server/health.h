// GET /health and GET /ready: for whoever restarts the server, and for whoever sends it questions.
#pragma once

#include <span>

#include "schedule/scheduler.h"
#include "server/http_message.h"

namespace glyph {

// `stats` are those of each replica, at least one. Of several, "replicas" in the body says of each what "status" and "message" would be
// if it were alone; a failed one is left out of all else while another one is not.

// 200 as long as the process can answer, if need be after it has loaded its model again ("reloading"); 503 and "failed" with a sentence in
// "message" when only a restart helps.
HttpResponse health_response(std::span<const SchedulerStats> stats);

// 200 while a question would be taken, 503 with the reason in "status" while one would not: "stopping", "busy" when all queues are full,
// "reloading" or "failed".
HttpResponse ready_response(std::span<const SchedulerStats> stats, size_t max_waiting, bool stopping);

}  // namespace glyph
