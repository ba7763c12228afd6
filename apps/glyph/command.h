// What every subcommand of glyph is made of. A command lives in its own file: x_command() says its name, declares its arguments and
// runs it. stdout is data, stderr is log.
#pragma once

#include <functional>
#include <string>

#include "arguments.h"
#include "glyph/status.h"
#include "interrupt.h"
#include "settings.h"

namespace glyph {

struct Context {
  Settings settings;
  Interrupt& interrupt;
};

struct Command {
  std::string name;
  std::string summary;  // one sentence for the help
  std::function<void(Arguments& arguments)> declare;
  // The exit code, or the Status whose sentence and exit code main() reports.
  std::function<Result<int>(Context& context)> run;
};

Command ask_command();
Command batch_command();
Command bench_command();
Command compile_command();
Command doctor_command();
Command extract_command();
Command render_command();
Command serve_command();
Command tokenize_command();

}  // namespace glyph
