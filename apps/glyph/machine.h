// What this machine offers, for doctor and the headers of measurements.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace glyph {

struct MemoryState {
  uint64_t total_bytes = 0;      // of the machine, or of the control group where that is less
  uint64_t available_bytes = 0;
};

struct GpuState {
  std::string driver;              // version of the kernel driver, "" when none is loaded
  int cuda_version = 0;            // 13000 = 13.0; 0 when libcuda is not there
  std::vector<std::string> names;  // the devices
};

std::string cpu_model();
MemoryState memory_state();
GpuState gpu_state();

}  // namespace glyph
