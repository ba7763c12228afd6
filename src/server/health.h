// GET /health and GET /ready: for whoever restarts the server, and for whoever sends it questions.
#pragma once

#include "schedule/scheduler.h"
#include "server/http_message.h"

namespace glyph {

// 200 as long as the process can answer, if need be after it has loaded its model again ("reloading"); 503 and "failed" with a sentence in
// "message" when only a restart helps.
HttpResponse health_response(const SchedulerStats& stats);

// 200 while a question would be taken, 503 with the reason in "status" while one would not: "stopping", "busy" when the queue is full,
// "reloading" or "failed".
HttpResponse ready_response(const SchedulerStats& stats, size_t max_waiting, bool stopping);

}  // namespace glyph
