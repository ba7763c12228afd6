#include "doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <string>
#include <thread>

#include "ask_options.h"
#include "ingest/extract_client.h"
#include "machine.h"
#include "memory_check.h"
#include "render/renderer.h"
#include "tensor/cpu_device.h"
#include "tensor/cuda_backend.h"
#include "tensor/gpu_health.h"

namespace glyph {
namespace {

constexpr double kMib = 1024.0 * 1024.0;
constexpr uint64_t kRoomBytes = uint64_t{512} << 20;  // to work
constexpr uint64_t kOwnFiles = 100;                   // of a server, besides its clients' sockets

Finding check_cpu() {
  const CpuDevice device;
  Finding finding{"cpu", {}, fmt::format("{}, {} cores; {}", cpu_model(), std::thread::hardware_concurrency(), device.description()), {}};
  if (device.level() < CpuLevel::kAvx2) {
    finding.state = Finding::State::kWarning;
    finding.advice = "without AVX2 answers take many times longer; use a newer processor, or pass its features to the virtual machine";
  }
  return finding;
}

Finding check_model(const Model& model) {
  const auto& scripts = model.config().scripts;
  const auto& dpi = model.config().page_dpi;
  Finding finding{"model", {}, fmt::format("{}, {:.0f} MiB of weights, computes in {}, window {} tokens, reads {}{}", model.name(),
                                           static_cast<double>(model.checkpoint().num_bytes()) / kMib, name_of(model.language().compute_type()),
                                           model.language().max_tokens(),
                                           scripts.empty() ? "scripts it does not name" : fmt::format("{}", fmt::join(scripts, ", ")),
                                           dpi ? fmt::format(", pages best at {:g} dpi", *dpi) : ""), {}};
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

// Whether the model and what it keeps would fit; before it is loaded.
Finding check_room(const Settings& settings) {
  const Result<ModelOptions> options = model_options(settings);
  const Result<Placement> placement = options.ok() ? place(*options, least_budgets()) : options.status();
  if (!placement.ok()) return {"room", Finding::State::kBad, placement.status().message(), "pass -m DIR with a complete Glm4v model directory"};
  const FreeMemory& memory = placement->memory;
  Finding finding{"room", {}, fmt::format("{} has {} free; the model at least: {}", memory.device, size_text(memory.bytes), placement->plan().text()), {}};
  if (const Status fits = check_fits(*placement); !fits.ok()) {
    finding.state = memory.gpu ? Finding::State::kBad : Finding::State::kWarning;
    finding.advice = fits.message();
  }
  return finding;
}

std::string health_text(const GpuHealth& gpu) {
  std::string text = gpu.name;
  if (gpu.power_w) text += fmt::format(", {:.0f} W", *gpu.power_w);
  if (gpu.power_w && gpu.power_limit_w) text += fmt::format(" of {:.0f}", *gpu.power_limit_w);
  if (gpu.temperature_c) text += fmt::format(", {} degrees", *gpu.temperature_c);
  if (gpu.sm_clock_mhz) text += fmt::format(", {} MHz", *gpu.sm_clock_mhz);
  if (gpu.sm_clock_mhz && gpu.max_sm_clock_mhz) text += fmt::format(" of {}", *gpu.max_sm_clock_mhz);
  return text;
}

// Of each GPU as it is now.
void examine_gpus(std::vector<Finding>& findings) {
  for (const GpuHealth& gpu : gpu_health()) {
    findings.push_back({"gpu health", {}, health_text(gpu), slow_warning(gpu)});
    if (!findings.back().advice.empty()) findings.back().state = Finding::State::kWarning;
  }
}

void examine_installation(std::vector<Finding>& findings) {
  findings.push_back(check_font("font", PageStyle::english()));
  findings.push_back(check_font("font (zh)", PageStyle::chinese()));
  findings.push_back(check_helper());
  const auto usable = list_gpus();
  findings.push_back(judge_gpu(gpu_state(), {built_with_cuda(), usable.ok() ? "" : usable.status().message()}));
}

}  // namespace

std::vector<Finding> examine(const Settings& settings) {
  std::vector<Finding> findings{check_cpu()};
  const MemoryState memory = memory_state();  // before the model takes its share
  Finding room = check_room(settings);  // before the model takes its part
  const Result<std::unique_ptr<Engine>> engine = open_engine(settings);
  const uint64_t weight_bytes = engine.ok() ? (*engine)->model().checkpoint().num_bytes() : 0;
  findings.push_back(judge_memory(memory, 2 * weight_bytes + kRoomBytes, "this model wants"));  // in the file and converted
  findings.push_back(std::move(room));
  if (engine.ok()) findings.push_back(check_model((*engine)->model()));
  else findings.push_back({"model", Finding::State::kBad, engine.status().message(), "pass -m DIR with a complete Glm4v model directory"});
  examine_installation(findings);
  examine_gpus(findings);
  return findings;
}

std::vector<Finding> examine_at_start(const Model& model, const StartNeeds& needs) {
  std::vector<Finding> findings{check_cpu(), judge_memory(memory_state(), needs.budget_bytes + kRoomBytes, "caches and running questions may take"),
                                judge_open_files(raise_open_files(), needs.num_connections + kOwnFiles), check_model(model)};
  examine_installation(findings);
  return findings;
}

}  // namespace glyph
