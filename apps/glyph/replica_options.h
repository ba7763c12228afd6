// Settings -> copies of the chosen model, each on devices of its own, for the commands that start a server.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "glyph/status.h"
#include "schedule/scheduler.h"
#include "settings.h"

namespace glyph {

// One a replica: its GPUs come after those of the one before; on a processor all share the cores. Errors are those of model_options(),
// wanted_replicas() and replicas_on_gpus(); kUsage: all of a processor; kNotFound: there is no GPU.
Result<std::vector<ModelOptions>> replica_options(const Settings& settings);

// Loads one after another, as open_engine().
Result<std::vector<std::unique_ptr<Engine>>> open_engines(std::span<const ModelOptions> models);

// Which the engines must outlive.
std::vector<Replica> replicas_of(std::span<const std::unique_ptr<Engine>> engines);

}  // namespace glyph
