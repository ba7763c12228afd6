#include "finding.h"

#include <fmt/format.h>

namespace glyph {
namespace {

constexpr double kMib = 1024.0 * 1024.0;

std::string cuda_name(int version) { return fmt::format("CUDA {}.{}", version / 1000, version % 1000 / 10); }

// "NVIDIA H200 (400 of 700 W), NVIDIA H200 (700 W)"
std::string device_list(const GpuState& gpu) {
  std::string list;
  for (const auto& [name, limit_w, default_w] : gpu.devices) {
    list += (list.empty() ? "" : ", ") + name;
    if (limit_w > 0) list += limit_w < default_w ? fmt::format(" ({} of {} W)", limit_w, default_w) : fmt::format(" ({} W)", limit_w);
  }
  return list.empty() ? "no device" : list;
}

// The first device that may not draw what it was made to draw.
const GpuState::Device* throttled(const GpuState& gpu) {
  for (const GpuState::Device& device : gpu.devices) {
    if (device.power_limit_w < device.default_power_limit_w) return &device;
  }
  return nullptr;
}

}  // namespace

std::string_view name_of(Finding::State state) {
  switch (state) {
    case Finding::State::kOk: return "ok";
    case Finding::State::kWarning: return "warning";
    case Finding::State::kBad: break;
  }
  return "bad";
}

Finding judge_memory(const MemoryState& memory, uint64_t wanted_bytes, std::string_view purpose) {
  Finding finding{"memory", {}, fmt::format("{:.0f} MiB, {:.0f} MiB available", static_cast<double>(memory.total_bytes) / kMib,
                                            static_cast<double>(memory.available_bytes) / kMib), {}};
  if (memory.available_bytes < wanted_bytes) {
    finding.state = Finding::State::kWarning;
    finding.advice = fmt::format("{} about {:.0f} MiB; close other programs", purpose, static_cast<double>(wanted_bytes) / kMib);
  }
  return finding;
}

Finding judge_open_files(uint64_t open_files, uint64_t wanted) {
  Finding finding{"files", {}, fmt::format("{} may be open", open_files), {}};
  if (open_files < wanted) {
    finding.state = Finding::State::kWarning;
    finding.advice = fmt::format("all clients at once want {}: raise ulimit -Hn, or LimitNOFILE= of the service", wanted);
  }
  return finding;
}

Finding judge_gpu(const GpuState& gpu, const GpuUse& use) {
  if (gpu.driver.empty() && gpu.devices.empty()) {
    if (!use.built_in) return {"gpu", {}, "no GPU: running on the CPU", {}};
    return {"gpu", Finding::State::kWarning, "no GPU: running on the CPU", "install NVIDIA's driver, or pass the GPU to the container"};
  }
  Finding finding{"gpu", {}, fmt::format("driver {}, {}, {}", gpu.driver.empty() ? "unknown" : gpu.driver,
                                         gpu.cuda_version == 0 ? "no CUDA library" : cuda_name(gpu.cuda_version), device_list(gpu)), {}};
  if (!use.built_in) {
    finding.detail += "; this build computes on the CPU";
    return finding;
  }
  finding.state = Finding::State::kWarning;
  if (gpu.cuda_version == 0) finding.advice = "libcuda.so.1 is missing: install the driver's user libraries, or pass them to the container";
  else if (gpu.devices.empty()) finding.advice = "the driver offers no device: see nvidia-smi and CUDA_VISIBLE_DEVICES";
  else if (!use.problem.empty()) finding.advice = use.problem;
  else if (const GpuState::Device* device = throttled(gpu)) {
    finding.advice = fmt::format("{} may draw less than it was made for: nvidia-smi -pl {}", device->name, device->default_power_limit_w);
  } else {
    finding.state = Finding::State::kOk;
  }
  return finding;
}

std::string findings_table(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& finding : findings) {
    out += fmt::format("{:8} {:10} {}\n", name_of(finding.state), finding.what, finding.detail);
    if (!finding.advice.empty()) out += fmt::format("{:19} -> {}\n", "", finding.advice);
  }
  return out;
}

std::string finding_line(const Finding& finding) {
  const std::string line = fmt::format("{}: {}", finding.what, finding.detail);
  return finding.advice.empty() ? line : fmt::format("{}; {}", line, finding.advice);
}

}  // namespace glyph
