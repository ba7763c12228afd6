// glyph doctor: what this machine and installation offer; each line is ok, or says what to do.
#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ask_options.h"
#include "command.h"
#include "exit_code.h"
#include "ingest/extract_client.h"
#include "json_text.h"
#include "machine.h"
#include "model_dir.h"
#include "output.h"
#include "render/renderer.h"
#include "tensor/cpu_device.h"

namespace glyph {
namespace {

namespace json = boost::json;

constexpr double kMib = 1024.0 * 1024.0;

struct Finding {
  enum class State { kOk, kWarning, kBad };
  std::string what;    // "memory"
  State state = State::kOk;
  std::string detail;  // what was found
  std::string advice;  // what to do about it, "" when ok
};

std::string_view state_name(Finding::State state) {
  switch (state) {
    case Finding::State::kOk: return "ok";
    case Finding::State::kWarning: return "warning";
    case Finding::State::kBad: break;
  }
  return "bad";
}

Finding check_cpu() {
  const CpuDevice device({.num_threads = 1});
  Finding finding{"cpu", {}, fmt::format("{}, {} cores; {}", cpu_model(), std::thread::hardware_concurrency(), device.description()), {}};
  if (device.level() < CpuLevel::kAvx2) {
    finding.state = Finding::State::kWarning;
    finding.advice = "without AVX2 answers take many times longer; use a newer processor, or pass its features to the virtual machine";
  }
  return finding;
}

Finding check_memory(uint64_t weight_bytes) {
  const MemoryState memory = memory_state();
  Finding finding{"memory", {}, fmt::format("{:.0f} MiB, {:.0f} MiB available", static_cast<double>(memory.total_bytes) / kMib,
                                            static_cast<double>(memory.available_bytes) / kMib), {}};
  const uint64_t wanted = 2 * weight_bytes + (uint64_t{512} << 20);  // weights in the file and converted, room to work
  if (memory.available_bytes < wanted) {
    finding.state = Finding::State::kWarning;
    finding.advice = fmt::format("this model wants about {:.0f} MiB; close other programs", static_cast<double>(wanted) / kMib);
  }
  return finding;
}

// Loads the whole model, as ask would; `weight_bytes` is 0 when that fails.
Finding check_model(const Settings& settings, uint64_t& weight_bytes) {
  const Result<std::unique_ptr<Engine>> engine = open_engine(settings);
  if (!engine.ok()) {
    return {"model", Finding::State::kBad, engine.status().message(), "pass -m DIR with a complete Glm4v model directory"};
  }
  const Model& model = (*engine)->model();
  weight_bytes = model.checkpoint().num_bytes();
  const auto& scripts = model.config().scripts;
  Finding finding{"model", {}, fmt::format("{}, {:.0f} MiB of weights, computes in {}, window {} tokens, reads {}", model.name(),
                                           static_cast<double>(weight_bytes) / kMib, name_of(model.language().compute_type()),
                                           model.language().max_tokens(),
                                           scripts.empty() ? "scripts it does not name" : fmt::format("{}", fmt::join(scripts, ", "))), {}};
  if (!model.warnings().empty()) {
    finding.state = Finding::State::kWarning;
    finding.advice = model.warnings().front();
  }
  return finding;
}

Finding check_font(const char* what, const PageStyle& style) {
  const auto renderer = Renderer::open(style);
  if (renderer.ok()) return {what, {}, (*renderer)->font_name(), {}};
  return {what, Finding::State::kBad, renderer.status().message(), "apt-get install fonts-dejavu-core fonts-noto-cjk"};
}

Finding check_helper() {
  const Result<SandboxReport> report = check_extract_helper();
  if (!report.ok()) {
    return {"helper", Finding::State::kBad, report.status().message(), "build glyph-extract, or set GLYPH_EXTRACT to where it is"};
  }
  const auto wall = [](bool up) { return up ? "on" : "off"; };
  Finding finding{"helper", {}, fmt::format("poppler {}; limits {}, seccomp {}, Landlock {}", report->poppler, wall(report->limits),
                                            wall(report->seccomp), wall(report->landlock)), {}};
  if (!report->limits || !report->seccomp || !report->no_new_privileges) {
    finding.state = Finding::State::kBad;
    finding.advice = "PDF and DOCX would be opened without their walls; use a kernel with seccomp";
  } else if (!report->landlock) {
    finding.state = Finding::State::kWarning;
    finding.advice = "the kernel has no Landlock (5.13 or newer, enabled): seccomp alone keeps the helper from files";
  } else if (!report->poppler_data) {
    finding.state = Finding::State::kWarning;
    finding.advice = "apt-get install poppler-data, or some Chinese, Japanese and Korean PDFs lose their text";
  }
  return finding;
}

Finding check_gpu() {
  const GpuState gpu = gpu_state();
  if (gpu.driver.empty() && gpu.names.empty()) return {"gpu", {}, "none, which is fine: this build computes on the CPU", {}};
  const std::string cuda =
      gpu.cuda_version == 0 ? "no CUDA library" : fmt::format("CUDA {}.{}", gpu.cuda_version / 1000, gpu.cuda_version % 1000 / 10);
  return {"gpu", {}, fmt::format("driver {}, {}, {}; this build computes on the CPU", gpu.driver, cuda,
                                 gpu.names.empty() ? "no device" : fmt::format("{}", fmt::join(gpu.names, ", "))), {}};
}

std::string findings_json(const std::vector<Finding>& findings, bool ok) {
  json::array checks;
  for (const Finding& finding : findings) {
    json::object check{{"check", finding.what}, {"state", json::string_view(state_name(finding.state))}, {"detail", finding.detail}};
    if (!finding.advice.empty()) check["advice"] = finding.advice;
    checks.push_back(std::move(check));
  }
  return json_text(json::object{{"ok", ok}, {"version", GLYPH_VERSION}, {"checks", std::move(checks)}}) + "\n";
}

std::string findings_table(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& finding : findings) {
    out += fmt::format("{:8} {:10} {}\n", state_name(finding.state), finding.what, finding.detail);
    if (!finding.advice.empty()) out += fmt::format("{:19} -> {}\n", "", finding.advice);
  }
  return out;
}

Result<int> run_doctor(Context& context, bool as_json) {
  context.interrupt.exit_at_once();
  uint64_t weight_bytes = 0;
  std::vector<Finding> findings;
  findings.push_back(check_cpu());
  const Finding model = check_model(context.settings, weight_bytes);
  findings.push_back(check_memory(weight_bytes));
  findings.push_back(model);
  findings.push_back(check_font("font", PageStyle::english()));
  findings.push_back(check_font("font (zh)", PageStyle::chinese()));
  findings.push_back(check_helper());
  findings.push_back(check_gpu());
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
