// Settings -> what a server may use, for the commands that start one.
#pragma once

#include <span>

#include "engine/model.h"
#include "glyph/status.h"
#include "server/server.h"
#include "settings.h"

namespace glyph {

// Everything but who hears of requests. kUsage names the setting that is wrong.
Result<ServerOptions> server_options(const Settings& settings);

// Before anything is loaded: budgets that were asked for must fit beside the model wherever it goes, those of nobody's choice are lowered
// to what fits everywhere. kExhausted: with the figures. Without a GPU there is no RAM below the device's memory.
Status fit_memory(const Settings& settings, std::span<const ModelOptions> models, SchedulerOptions& schedule);

}  // namespace glyph
