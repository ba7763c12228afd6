// GET /metrics: Prometheus text, with vLLM's names where they mean the same.
#pragma once

#include <cstddef>
#include <string>

#include "schedule/scheduler.h"
#include "server/http_message.h"

namespace glyph {

HttpResponse metrics_response(const std::string& model, const SchedulerStats& stats, size_t num_connections);

}  // namespace glyph
