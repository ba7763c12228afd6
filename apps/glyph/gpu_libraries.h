// The libraries of NVIDIA's driver, opened by name so that nothing depends on them. What is missing stays empty.
#pragma once

#include "machine.h"

namespace glyph {

// Fills cuda_version and the devices' names (libcuda), then their limits of power (libnvidia-ml).
void describe_gpus(GpuState& state);

}  // namespace glyph
