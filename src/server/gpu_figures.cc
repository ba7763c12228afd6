#include "server/gpu_figures.h"

#include <optional>
#include <string>

namespace glyph {
namespace {

using Type = Exposition::Type;

// One family, with the GPUs that tell.
template <typename Value>
void write(Exposition& out, std::span<const GpuHealth> gpus, std::string_view name, std::string_view help, const Value& value_of) {
  out.family(name, Type::kGauge, help);
  for (size_t i = 0; i < gpus.size(); ++i) {
    const std::string number = std::to_string(i);
    if (const auto value = value_of(gpus[i])) out.sample({{"gpu", number}, {"name", gpus[i].name}}, static_cast<double>(*value));
  }
}

// 1 for each reason that slows a GPU down now, 0 for the others: a rule can watch one that has not come yet.
void write_slow_reasons(Exposition& out, std::span<const GpuHealth> gpus) {
  out.family("glyph_gpu_clocks_limited", Type::kGauge, "Whether this holds the GPU's clocks down.");
  for (size_t i = 0; i < gpus.size(); ++i) {
    const std::string number = std::to_string(i);
    for (const SlowReason& reason : all_slow_reasons()) {
      out.sample({{"gpu", number}, {"name", gpus[i].name}, {"reason", reason.name}}, (gpus[i].slow_reasons & reason.bit) != 0 ? 1 : 0);
    }
  }
}

}  // namespace

void write_gpu_figures(Exposition& out, std::span<const GpuHealth> gpus) {
  if (gpus.empty()) return;
  write(out, gpus, "glyph_gpu_power_watts", "Power drawn.", [](const GpuHealth& gpu) { return gpu.power_w; });
  write(out, gpus, "glyph_gpu_power_limit_watts", "Power that may be drawn.", [](const GpuHealth& gpu) { return gpu.power_limit_w; });
  write(out, gpus, "glyph_gpu_temperature_celsius", "Temperature.", [](const GpuHealth& gpu) { return gpu.temperature_c; });
  write(out, gpus, "glyph_gpu_sm_clock_mhz", "Clock of the multiprocessors.", [](const GpuHealth& gpu) { return gpu.sm_clock_mhz; });
  write(out, gpus, "glyph_gpu_memory_clock_mhz", "Clock of the memory.", [](const GpuHealth& gpu) { return gpu.memory_clock_mhz; });
  write(out, gpus, "glyph_gpu_busy_percent", "Share of the last moments in which kernels ran.", [](const GpuHealth& gpu) { return gpu.busy_percent; });
  write(out, gpus, "glyph_gpu_memory_used_bytes", "Memory in use, by all programs.", [](const GpuHealth& gpu) { return gpu.used_bytes; });
  write(out, gpus, "glyph_gpu_memory_total_bytes", "Memory.", [](const GpuHealth& gpu) { return gpu.total_bytes; });
  write_slow_reasons(out, gpus);
}

}  // namespace glyph
