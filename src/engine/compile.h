// Times the choices of a plan with a loaded model, and lets a model use a plan.
#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/model.h"
#include "glyph/status.h"
#include "plan/plan.h"
#include "vision/preprocess.h"

namespace glyph {

struct CompileOptions {
  std::vector<ImageSize> pages = {{588, 840}};  // pixels; A4 at 72 dpi, cropped
  int repeats = 3;                              // the fastest counts
  std::stop_token stop = {};                    // looked at between two passes
  std::function<void(const std::string& line)> progress = {};  // what was chosen, a line each
};

// What a plan for this model on this machine is good for.
PlanIdentity plan_identity(const Model& model);

// kRefused: a size that cannot become patches; kCancelled; kExhausted and kInternal: the device's. The model computes as before.
Result<Plan> compile_plan(Model& model, const CompileOptions& options = {});

// $XDG_CACHE_HOME/glyph/plans/..., by the identity; nothing without a home directory.
std::filesystem::path plan_cache_file(const PlanIdentity& identity);

// Lets the model use the plan in `file`; with no `file`, that of model_dir/glyph.plan or of the cache. One that is damaged or was
// made for something else is made again, which a warning says, and kept in `file` or in the cache. No plan at all is no error, unless
// `file` is named: kNotFound.
Status use_plan(Model& model, const std::filesystem::path& file, const std::filesystem::path& model_dir);

}  // namespace glyph
