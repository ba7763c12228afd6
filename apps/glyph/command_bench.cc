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

Command bench_command() {
  auto given = std::make_shared<BenchArguments>();
  return {"bench", "Measure the speed of drawing, of operations, or of a whole question.",
          [given](Arguments& arguments) {
            arguments.choice(given->what, {"WHAT", "render, ops or e2e", ""}, {"render", "ops", "e2e"});
            arguments.flag(given->json, {"--json", "print one JSON object", ""});
            arguments.integer(given->pages, {"--pages", "e2e: pages of the document (default: 10)", "N"}, 1, 10000);
            arguments.integer(given->repeats, {"--repeats", "e2e: how often to ask (default: 3)", "N"}, 1, 1000);
            arguments.integer(given->max_tokens, {"--answer-tokens", "e2e: longest answer (default: 64)", "N"}, 1, 65536);
            arguments.model_settings();
            arguments.page_settings();
          },
          [given](Context& context) { return run_bench(context, *given); }};
}

}  // namespace glyph
