// Does a model fit where it is to be loaded? Asked before anything is.
#pragma once

#include <cstdint>
#include <string>

#include "engine/model.h"
#include "glyph/status.h"
#include "weights/memory_plan.h"

namespace glyph {

// What is kept beside the model.
struct Budgets {
  uint64_t kv_bytes = 0;
  uint64_t feature_bytes = 0;
};

// Enough for one question about a few pages; more is taken when there is more.
Budgets least_budgets();

struct FreeMemory {
  std::string device;  // "NVIDIA H200", or "this machine"
  uint64_t bytes = 0;
  bool gpu = false;
};
// Of the device that `options` would open, or of the fullest of several; kNotFound as open_device().
Result<FreeMemory> free_memory(const ModelOptions& options);

// A model and where it would go.
struct Placement {
  ModelConfig config;
  PreprocessorConfig preprocessor;
  MemoryNeeds needs;
  FreeMemory memory;

  MemoryPlan plan() const { return plan_memory(config, preprocessor, needs); }
};
// Reads configurations only. Errors are those of free_memory() and of config.json.
Result<Placement> place(const ModelOptions& options, const Budgets& budgets);

// kExhausted, with figures, when it does not fit. Weights that the processor reads where their file is mapped need no room.
Status check_fits(const Placement& placement);
// The same for `options` with the least budgets.
Status check_fits(const ModelOptions& options);

// Lowers budgets that nobody asked for to what fits, and says so in the log; kExhausted when nothing useful is left.
Status shrink_to_fit(Placement placement, Budgets& budgets);

}  // namespace glyph
