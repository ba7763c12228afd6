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
  struct Device {
    std::string name;
    uint32_t power_limit_w = 0;          // as set; 0: unknown
    uint32_t default_power_limit_w = 0;  // as delivered; 0: unknown
  };

  std::string driver;            // version of the kernel driver, "" when none is loaded
  int cuda_version = 0;          // newest that libcuda serves, 13000 = 13.0; 0 when it is not there
  std::vector<Device> devices;
};

std::string cpu_model();
MemoryState memory_state();
GpuState gpu_state();
// Raises the number of files and sockets this process may have open as far as it may; returns what it is then.
uint64_t raise_open_files();

}  // namespace glyph
