#include "tensor/open_device.h"

#include <fmt/format.h>

#include "tensor/cpu_device.h"
#include "tensor/cuda_backend.h"

namespace glyph {

Result<DeviceChoice> parse_device_choice(std::string_view text) {
  if (text == "auto") return DeviceChoice::kAuto;
  if (text == "cpu") return DeviceChoice::kCpu;
  if (text == "cuda") return DeviceChoice::kCuda;
  return usage_error(fmt::format("the device \"{:.100}\" is none of auto, cpu, cuda", text));
}

Result<std::unique_ptr<Device>> open_device(const DeviceOptions& options) {
  if (options.choice != DeviceChoice::kCpu) {
    Result<std::unique_ptr<Device>> gpu = open_cuda_device({.index = options.gpu});
    if (gpu.ok() || options.choice == DeviceChoice::kCuda) return gpu;
  }
  return std::unique_ptr<Device>(std::make_unique<CpuDevice>(CpuOptions{.num_threads = options.num_threads}));
}

}  // namespace glyph
