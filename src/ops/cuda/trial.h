// Trials of ways to do one thing: when they may run, and how long one takes.
#pragma once

#include <functional>
#include <limits>

#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {

// Whether a variable of the environment says "off": to compare, or to go without what is at fault.
bool is_turned_off(const char* variable);

// Whether the device's stream is being recorded, when nothing can be timed.
bool is_capturing(CudaDevice& device);

// Seconds of the faster of two runs after one that warms up; infinity when run() refuses. One timed run is enough above `enough` seconds.
double seconds_of(CudaDevice& device, const std::function<bool()>& run, double enough = std::numeric_limits<double>::infinity());

}  // namespace glyph::ops::cuda
