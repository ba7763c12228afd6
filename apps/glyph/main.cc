// glyph: the command line. Reads arguments, environment and configuration file, runs one subcommand, maps its end to an exit code.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "base/log.h"
#include "command.h"
#include "exit_code.h"

namespace glyph {
namespace {

Result<LogOptions> log_options(const Settings& settings) {
  LogOptions options;
  GLYPH_ASSIGN_OR_RETURN(options.json, settings.boolean("log-json", false));
  const std::string level = settings.text("log-level").value_or("info");
  if (level == "debug") options.level = LogLevel::kDebug;
  else if (level == "info") options.level = LogLevel::kInfo;
  else if (level == "warning") options.level = LogLevel::kWarning;
  else if (level == "error") options.level = LogLevel::kError;
  else if (level == "off") options.level = LogLevel::kOff;
  else return usage_error(fmt::format("log-level: '{}' is none of debug, info, warning, error, off", level));
  return options;
}

// Help and version go to stdout and end with 0; anything else is a usage error on stderr.
int report_parse_end(const CLI::App& root, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return root.exit(error, std::cout, std::cerr);
  log_error("{}; see glyph --help", error.what());
  return kExitUsage;
}

// A command and the parser that knows whether it was chosen.
struct Entry {
  Command command;
  CLI::App* parser;
};

std::vector<Entry> declare_commands(CLI::App& root, Settings& settings) {
  std::vector<Entry> entries;
  for (Command command : {ask_command(), batch_command(), render_command(), extract_command(), tokenize_command(),
                                     bench_command(), compile_command(), serve_command(), doctor_command()}) {
    CLI::App* parser = root.add_subcommand(command.name, command.summary);
    Arguments arguments(*parser, settings);
    command.declare(arguments);
    entries.push_back({std::move(command), parser});
  }
  return entries;
}

void declare_common(CLI::App& root, Settings& settings) {
  root.set_version_flag("--version", "glyph " GLYPH_VERSION);
  root.require_subcommand(1);
  root.fallthrough();
  root.add_option_function<std::string>(
          "--config", [&settings](const std::string& value) { settings.set_flag("config", value); },
          "configuration file (default: ~/.config/glyph/glyph.conf)")
      ->type_name("FILE");
  Arguments(root, settings).settings({"log-level", "log-json"});
}

Result<int> run_chosen(const std::vector<Entry>& entries, Context& context) {
  GLYPH_RETURN_IF_ERROR(context.settings.load_environment_and_file());
  GLYPH_ASSIGN_OR_RETURN(const LogOptions log, log_options(context.settings));
  set_log_options(log);
  for (const Entry& entry : entries) {
    if (entry.parser->parsed()) return entry.command.run(context);
  }
  return usage_error("no command given; see glyph --help");
}

int run(int argc, char** argv) {
  Interrupt interrupt;
  Context context{{}, interrupt};
  CLI::App root("Answers questions about documents by looking at their pages.", "glyph");
  declare_common(root, context.settings);
  const std::vector<Entry> entries = declare_commands(root, context.settings);
  try {
    root.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return report_parse_end(root, error);
  }
  const Result<int> end = run_chosen(entries, context);
  if (end.ok()) return *end;
  if (end.status().code() != StatusCode::kCancelled) log_error("{}", end.status().message());
  return exit_code(end.status().code());
}

}  // namespace
}  // namespace glyph

int main(int argc, char** argv) {
  try {
    return glyph::run(argc, argv);
  } catch (const std::bad_alloc&) {
    glyph::log_error("out of memory");
  } catch (const std::exception& error) {
    glyph::log_error("unexpected: {}", error.what());
  }
  return glyph::kExitRuntime;
}
