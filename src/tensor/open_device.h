// Chooses the device a model runs on.
#pragma once

#include <memory>
#include <string_view>

#include "glyph/status.h"
#include "tensor/device.h"

namespace glyph {

enum class DeviceChoice {
  kAuto,  // a GPU if this build can use one that is there, else the processor
  kCpu,
  kCuda,
};

struct DeviceOptions {
  DeviceChoice choice = DeviceChoice::kAuto;
  int num_threads = 0;  // of the processor; 0: one a core
  int gpu = 0;          // which GPU, in the driver's order
};

// "auto", "cpu" or "cuda"; kUsage names any other.
Result<DeviceChoice> parse_device_choice(std::string_view text);

// kNotFound when a GPU is asked for and there is none that can be used.
Result<std::unique_ptr<Device>> open_device(const DeviceOptions& options = {});

}  // namespace glyph
