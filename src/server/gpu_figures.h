// What NVML says about the GPUs, for GET /metrics.
#pragma once

#include <span>

#include "server/exposition.h"
#include "tensor/gpu_health.h"

namespace glyph {

// Families glyph_gpu_*, a sample a GPU with the labels gpu (its number) and name; nothing without GPUs.
void write_gpu_figures(Exposition& out, std::span<const GpuHealth> gpus);

}  // namespace glyph
