#include "ops/cuda/trial.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace glyph::ops::cuda {

bool is_turned_off(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && value == std::string_view("off");
}

bool is_capturing(CudaDevice& device) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  return cudaStreamIsCapturing(device.stream(), &status) != cudaSuccess || status != cudaStreamCaptureStatusNone;
}

double seconds_of(CudaDevice& device, const std::function<bool()>& run, double enough) {
  double best = std::numeric_limits<double>::infinity();
  cudaEvent_t begin = nullptr, end = nullptr;
  device.note(cudaEventCreate(&begin), "cudaEventCreate");
  device.note(cudaEventCreate(&end), "cudaEventCreate");
  for (int i = 0; i < 3 && device.ok(); ++i) {
    device.note(cudaEventRecord(begin, device.stream()), "cudaEventRecord");
    if (!run()) break;
    device.note(cudaEventRecord(end, device.stream()), "cudaEventRecord");
    device.note(cudaEventSynchronize(end), "cudaEventSynchronize");
    float milliseconds = 0;
    device.note(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
    if (i == 0) continue;
    best = std::min(best, milliseconds * 1e-3);
    if (best > enough) break;
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  return best;
}

}  // namespace glyph::ops::cuda
