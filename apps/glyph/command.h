// What every subcommand of glyph is made of. A command lives in its own file: add_NAME() declares its arguments on the parser and
// returns what runs it. stdout is data, stderr is log.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <initializer_list>
#include <stop_token>
#include <string_view>
#include <vector>

#include "glyph/status.h"
#include "interrupt.h"
#include "settings.h"

namespace glyph {

struct Context {
  Settings settings;
  Interrupt& interrupt;
};

// The exit code, or the Status whose sentence and exit code main() reports.
using Run = std::function<Result<int>(Context& context)>;

struct Command {
  CLI::App* app = nullptr;
  Run run;
};

// Declares flags for settings of settings.h on a subcommand; their values go to `settings` during parsing.
void add_settings(CLI::App& app, Settings& settings, std::initializer_list<std::string_view> names);
// The flags of IngestLimits and of drawing.
void add_limit_settings(CLI::App& app, Settings& settings);
// The flags of a model and of sampling.
void add_model_settings(CLI::App& app, Settings& settings);
void add_sampling_settings(CLI::App& app, Settings& settings);

Command add_ask(CLI::App& root, Settings& settings);
Command add_batch(CLI::App& root, Settings& settings);
Command add_bench(CLI::App& root, Settings& settings);
Command add_doctor(CLI::App& root, Settings& settings);
Command add_extract(CLI::App& root, Settings& settings);
Command add_render(CLI::App& root, Settings& settings);
Command add_tokenize(CLI::App& root, Settings& settings);

}  // namespace glyph
