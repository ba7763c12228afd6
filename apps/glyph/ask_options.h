// Settings -> a loaded engine and requests, for the commands that ask questions.
#pragma once

#include <memory>
#include <string>

#include "engine/engine.h"
#include "glyph/status.h"
#include "progress.h"
#include "settings.h"

namespace glyph {

// Which model, and how it computes.
Result<ModelOptions> model_options(const Settings& settings);

// The chosen model, loaded; logs what is odd about it.
Result<std::unique_ptr<Engine>> open_engine(const Settings& settings);
Result<std::unique_ptr<Engine>> open_engine(const ModelOptions& options);

// How many tokens of an answer that quotes are guessed ahead.
Result<size_t> draft_tokens(const Settings& settings);

// Everything but files and question.
Result<AskRequest> request_template(const Settings& settings);

// Progress as a line for people; "" for a stage that shows itself.
std::string describe(const AskProgress& progress);

// One line about a finished question: pages, tokens, times.
std::string describe(const AskResult& result);

}  // namespace glyph
