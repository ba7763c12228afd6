// GET /health and GET /ready: for whoever restarts the server, and for whoever sends it questions.
#pragma once

#include "schedule/scheduler.h"
#include "server/http_message.h"

namespace glyph {

// The process answers: always 200.
HttpResponse health_response();

// 200 while a question would be taken, 503 with the reason in "status" while one would not: "stopping", or "busy" when the queue is full.
HttpResponse ready_response(const SchedulerStats& stats, size_t max_waiting, bool stopping);

}  // namespace glyph
