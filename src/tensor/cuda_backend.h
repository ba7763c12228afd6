// The door to the CUDA backend. Without the toolkit the folder nocuda stands behind it and every call says so.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "glyph/status.h"
#include "tensor/device.h"

namespace glyph {

// Whether this program was built with the CUDA toolkit.
bool built_with_cuda();

struct CudaOptions {
  int index = 0;  // of the GPU, in the driver's order
};

constexpr int kLeastGpuArchitecture = 80;  // that can be used

struct GpuInfo {
  std::string name;
  int architecture = 0;      // 90: compute capability 9.0
  uint64_t total_bytes = 0;  // of memory
  uint64_t free_bytes = 0;
};

// The GPUs the driver shows. kNotFound when the build has no CUDA, there is no driver, or it is too old.
Result<std::vector<GpuInfo>> list_gpus();

// Where they are on the bus, "0000:1b:00.0", in the same order; does not start them. Errors as list_gpus().
Result<std::vector<std::string>> gpu_bus_ids();

// kNotFound as list_gpus(), for an index without GPU, or a GPU older than compute capability 8.0.
Result<std::unique_ptr<Device>> open_cuda_device(const CudaOptions& options = {});

// Memory of a GPU device that is free for the process now, counting what the device keeps for reuse.
struct DeviceMemoryUse {
  uint64_t total_bytes = 0;
  uint64_t free_bytes = 0;
  uint64_t held_bytes = 0;  // allocated by this device, in use or not
};
Result<DeviceMemoryUse> cuda_memory_use(Device& device);

}  // namespace glyph
