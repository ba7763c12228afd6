// The object that `glyph ask --json` prints and `glyph batch` writes for each answer.
#pragma once

#include <boost/json/object.hpp>

#include "engine/ask.h"

namespace glyph {

// answer, reasoning (only if there is some), finish_reason, pages, usage, compression, timings_ms, warnings.
boost::json::object answer_json(const AskResult& result);

}  // namespace glyph
