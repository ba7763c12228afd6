// glyph bench render|ops|e2e|ladder|load: how fast this machine does the parts of a question, or all of it.
#include <boost/json.hpp>
#include <sys/utsname.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "base/text_file.h"
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

// As it was typed, without the program's folder.
std::string command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string text;
  for (std::string word; std::getline(file, word, '\0');) text += text.empty() ? "glyph" : " " + word;
  return text;
}

Result<int> run_bench(Context& context, const BenchArguments& arguments) {
  if (arguments.what == "ops") context.interrupt.exit_at_once();
  const Settings& settings = context.settings;
  Result<BenchReport> report = arguments.what == "render" ? report_render(settings, arguments)
                               : arguments.what == "ops"  ? report_ops(settings, arguments)
                               : arguments.what == "e2e"  ? report_e2e(settings, arguments, context.interrupt.token())
                               : arguments.what == "load" ? report_load(settings, arguments, context.interrupt.token())
                                                          : report_ladder(settings, arguments, context.interrupt.token());
  if (!report.ok()) return report.status();
  report->data["bench"] = arguments.what;
  report->data["version"] = GLYPH_VERSION;
  report->data["machine"] = machine_json();
  report->data["command"] = command_line();
  if (!arguments.json_file.empty()) GLYPH_RETURN_IF_ERROR(write_file_atomically(arguments.json_file, json_text(report->data) + "\n"));
  GLYPH_RETURN_IF_ERROR(write_stdout(arguments.json ? json_text(report->data) + "\n" : report->table));
  return 0;
}

}  // namespace

Command bench_command() {
  auto given = std::make_shared<BenchArguments>();
  return {"bench", "Measure the speed of drawing, of operations, of a whole question, of what makes it fast, or of a server under load.",
          [given](Arguments& arguments) {
            arguments.choice(given->what, {"WHAT", "render, ops, e2e, ladder or load", ""}, {"render", "ops", "e2e", "ladder", "load"});
            arguments.flag(given->json, {"--json", "print one JSON object", ""});
            arguments.text(given->json_file, {"--json-file", "write the JSON object to a file, too", "FILE"});
            arguments.integer(given->pages, {"--pages", "e2e, ladder, load: pages of a document (default: 10)", "N"}, 1, 10000);
            arguments.integer(given->repeats, {"--repeats", "e2e, ladder: how often to ask (default: 3)", "N"}, 1, 1000);
            arguments.integer(given->max_tokens, {"--answer-tokens", "longest answer (default: 64 for e2e and load, 128 for ladder)", "N"}, 1, 65536);
            arguments.text(given->rows, {"--rows", "ladder: only these, as fp32,bf16,later (default: all that run here)", "LIST"});
            arguments.flag(given->uncompiled, {"--uncompiled", "ladder: no row makes a plan first", ""});
            arguments.text(given->picture, {"--picture", "ladder: ask about a picture of this size, too, as 2048x8192", "WxH"});
            arguments.text(given->grow, {"--grow", "ladder: documents of so many pages, and as plain text, as 1,10,50,150", "LIST"});
            arguments.integer(given->streams, {"--streams", "ladder: so many answers at once", "N"}, 1, 1024);
            arguments.integer(given->documents, {"--documents", "that the streams of ladder are about (default: 8), or the questions of load (1)", "N"}, 1, 1024);
            arguments.integer(given->seconds, {"--seconds", "ladder: begin nothing after so many", "N"}, 1, 86400);
            arguments.text(given->svg, {"--svg", "ladder: draw a chart", "FILE"});
            arguments.text(given->url, {"--url", "load: a server that is there (default: one of its own)", "URL"});
            arguments.text(given->key_file, {"--key-file", "load: has the server's key in its first line", "FILE"});
            arguments.integer(given->clients, {"--clients", "load: that ask at once (default: 8)", "N"}, 1, 1024);
            arguments.integer(given->questions, {"--questions", "load: of all of them together (default: 4 each)", "N"}, 1, 1000000);
            arguments.model_settings();
            arguments.page_settings();
          },
          [given](Context& context) { return run_bench(context, *given); }};
}

}  // namespace glyph
