// glyph bench render|ops|e2e: how fast this machine does the parts of a question, or all of it.
#include <boost/json.hpp>
#include <sys/utsname.h>

#include <memory>
#include <thread>

#include "benchmarks.h"
#include "command.h"
#include "json_text.h"
#include "machine.h"
#include "output.h"

namespace glyph {

namespace json = boost::json;

json::object machine_json() {
  utsname system{};
  uname(&system);
  return {{"cpu", cpu_model()},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_mib", memory_state().total_bytes >> 20},
          {"system", std::string(system.sysname) + " " + system.release}};
}

namespace {

Result<int> run_bench(Context& context, const BenchArguments& arguments) {
  if (arguments.what == "ops") context.interrupt.exit_at_once();
  const Settings& settings = context.settings;
  Result<BenchReport> report = arguments.what == "render" ? report_render(settings, arguments)
                               : arguments.what == "ops"  ? report_ops(settings, arguments)
                                                          : report_e2e(settings, arguments, context.interrupt.token());
  if (!report.ok()) return report.status();
  report->data["bench"] = arguments.what;
  report->data["version"] = GLYPH_VERSION;
  report->data["machine"] = machine_json();
  GLYPH_RETURN_IF_ERROR(write_stdout(arguments.json ? json_text(report->data) + "\n" : report->table));
  return 0;
}

}  // namespace

Command add_bench(CLI::App& root, Settings& settings) {
  CLI::App* app = root.add_subcommand("bench", "Measure the speed of drawing, of operations, or of a whole question.");
  auto arguments = std::make_shared<BenchArguments>();
  app->add_option("WHAT", arguments->what, "render, ops or e2e")->required()->check(CLI::IsMember({"render", "ops", "e2e"}));
  app->add_flag("--json", arguments->json, "print one JSON object");
  app->add_option("--pages", arguments->pages, "e2e: pages of the document (default: 10)")->check(CLI::Range(1, 10000));
  app->add_option("--repeats", arguments->repeats, "e2e: how often to ask (default: 3)")->check(CLI::Range(1, 1000));
  app->add_option("--answer-tokens", arguments->max_tokens, "e2e: longest answer (default: 64)")->check(CLI::Range(1, 65536));
  add_model_settings(*app, settings);
  add_settings(*app, settings, {"style", "dpi"});
  return {app, [arguments](Context& context) { return run_bench(context, *arguments); }};
}

}  // namespace glyph
