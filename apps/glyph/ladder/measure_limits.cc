#include <algorithm>

#include "engine/stopwatch.h"
#include "ladder/measure.h"
#include "ladder/stage_clock.h"
#include "ops/linear.h"
#include "ops/load.h"

namespace glyph {
namespace {

constexpr int kTries = 5;

// Seconds of the fastest of a few, after one that is not counted.
template <typename Work>
double best_seconds(StageClock& clock, const Work& work) {
  work();
  double best = 1e30;
  for (int i = 0; i < kTries; ++i) {
    clock.wait();
    const Stopwatch watch;
    work();
    clock.wait();
    best = std::min(best, watch.seconds());
  }
  return best;
}

}  // namespace

DeviceLimits measure_limits(Device& device, DType type) {
  const int64_t side = device.host_memory() ? 1024 : 8192;
  const int64_t num_bytes = device.host_memory() ? int64_t{128} << 20 : int64_t{1} << 30;
  StageClock clock(device);
  Tensor x(device, type, {side, side}), weight(device, type, {side, side}), out(device, type, {side, side});
  ops::fill_random(device, {.start = 1}, x.view());
  ops::fill_random(device, {.start = 2}, weight.view());
  const double multiply_s =
      best_seconds(clock, [&] { ops::linear(device, x.view(), {.weight = weight.view(), .bias = {}}, out.view()); });
  Tensor from(device, DType::kF32, {num_bytes / 4}), to(device, DType::kF32, {num_bytes / 4});
  ops::fill_random(device, {.start = 3}, from.view());
  const double copy_s = best_seconds(clock, [&] { device.copy_bytes(to.view().raw(), from.view().raw(), static_cast<size_t>(num_bytes)); });
  const double n = static_cast<double>(side);
  return {.tflops = 2 * n * n * n / multiply_s * 1e-12, .gbytes = 2 * static_cast<double>(num_bytes) / copy_s * 1e-9};
}

}  // namespace glyph
