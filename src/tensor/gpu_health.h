// How the GPUs are: power, temperature, clocks, and what slows them down. From NVML (libnvidia-ml.so.1), which is loaded when it is
// first asked for: no toolkit is needed to build this, and a machine without a driver just has no GPUs to tell about.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"

namespace glyph {

// What one GPU says of itself; what it does not say is empty.
struct GpuHealth {
  std::string name;
  std::string uuid;
  std::optional<double> power_w;
  std::optional<double> power_limit_w;          // as set
  std::optional<double> default_power_limit_w;  // as delivered
  std::optional<uint32_t> temperature_c;
  std::optional<uint32_t> sm_clock_mhz;
  std::optional<uint32_t> max_sm_clock_mhz;
  std::optional<uint32_t> memory_clock_mhz;
  std::optional<uint32_t> busy_percent;  // of the last moments, kernels ran
  std::optional<uint64_t> used_bytes;    // of memory, by all programs
  std::optional<uint64_t> total_bytes;
  uint64_t slow_reasons = 0;  // bits: nvmlClocksEventReason*
};

// A bit of GpuHealth::slow_reasons.
struct SlowReason {
  uint64_t bit = 0;
  std::string_view name;  // "hw_thermal"; for labels
  bool harmful = false;   // the card is slower than it was made to be; a power cap is, when it was set below the default
};
std::span<const SlowReason> all_slow_reasons();

// One sentence when something that should not be slows the GPU down; "" otherwise.
std::string slow_warning(const GpuHealth& gpu);

// NVML, opened. One thread at a time.
class Nvml {
 public:
  // kNotFound: no such library, or it does not start or lacks what is needed. `library` is another one's path in tests.
  static Result<std::unique_ptr<Nvml>> open(const std::string& library = "libnvidia-ml.so.1");
  virtual ~Nvml() = default;

  // All GPUs, in the order of the bus; or those at the given addresses ("0000:1b:00.0"), in their order.
  virtual std::vector<GpuHealth> read(std::span<const std::string> bus_ids = {}) = 0;
};

// Of the GPUs that this program can compute on; in a build without CUDA, of all. Empty without NVML. Any thread.
std::vector<GpuHealth> gpu_health();

}  // namespace glyph
