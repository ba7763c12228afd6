// glyph doctor: what this machine and installation offer; each line is ok, or says what to do.
#include <boost/json.hpp>

#include <memory>
#include <string>
#include <vector>

#include "command.h"
#include "doctor.h"
#include "exit_code.h"
#include "json_text.h"
#include "output.h"

namespace glyph {
namespace {

namespace json = boost::json;

std::string findings_json(const std::vector<Finding>& findings, bool ok) {
  json::array checks;
  for (const Finding& finding : findings) {
    json::object check{{"check", finding.what}, {"state", json::string_view(name_of(finding.state))}, {"detail", finding.detail}};
    if (!finding.advice.empty()) check["advice"] = finding.advice;
    checks.push_back(std::move(check));
  }
  return json_text(json::object{{"ok", ok}, {"version", GLYPH_VERSION}, {"checks", std::move(checks)}}) + "\n";
}

Result<int> run_doctor(Context& context, bool as_json) {
  context.interrupt.exit_at_once();
  const std::vector<Finding> findings = examine(context.settings);
  bool ok = true;
  for (const Finding& finding : findings) ok = ok && finding.state != Finding::State::kBad;
  GLYPH_RETURN_IF_ERROR(write_stdout(as_json ? findings_json(findings, ok) : findings_table(findings)));
  return ok ? kExitOk : kExitRuntime;
}

}  // namespace

Command doctor_command() {
  auto as_json = std::make_shared<bool>(false);
  return {"doctor", "Check processor, memory, model, fonts, the reader's sandbox and the GPU.",
          [as_json](Arguments& arguments) {
            arguments.flag(*as_json, {"--json", "print one JSON object", ""});
            arguments.model_settings();
          },
          [as_json](Context& context) { return run_doctor(context, *as_json); }};
}

}  // namespace glyph
