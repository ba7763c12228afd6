// Settings -> what a server may use, for the commands that start one.
#pragma once

#include "glyph/status.h"
#include "server/server.h"
#include "settings.h"

namespace glyph {

// Everything but who hears of requests. kUsage names the setting that is wrong.
Result<ServerOptions> server_options(const Settings& settings);

// Before anything is loaded: budgets that were asked for must fit beside the model, those of nobody's choice are lowered. kExhausted: with
// the figures.
Status fit_memory(const Settings& settings, SchedulerOptions& schedule);

}  // namespace glyph
