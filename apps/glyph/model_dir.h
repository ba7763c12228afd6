// Where the model is when the user names none.
#pragma once

#include <filesystem>

#include "glyph/status.h"
#include "settings.h"

namespace glyph {

// The model setting, or models/glyph-mini beside or above the running program (a build inside the repository), or
// ../share/glyph/models/glyph-mini (an installation). kNotFound says what to pass when there is none.
Result<std::filesystem::path> find_model_dir(const Settings& settings);

}  // namespace glyph
