// The checks of doctor: all of them for `glyph doctor`, those that need no loading again for the start of `glyph serve`.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/model.h"
#include "finding.h"
#include "settings.h"

namespace glyph {

// Loads the chosen model, as ask would.
std::vector<Finding> examine(const Settings& settings);

struct StartNeeds {
  uint64_t budget_bytes = 0;     // what caches and running questions may grow to beside the model, which is loaded
  uint64_t num_connections = 0;  // at once
};
std::vector<Finding> examine_at_start(const Model& model, const StartNeeds& needs);

}  // namespace glyph
