#include "tensor/cuda/why_no_gpu.h"

#include <fmt/format.h>

namespace glyph {
namespace {

std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

}  // namespace

std::string why_no_gpu(cudaError_t error) {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  cudaGetLastError();
  if (driver == 0) return "no GPU can be used: no NVIDIA driver is installed (libcuda.so.1 was not found)";
  if (error == cudaErrorInsufficientDriver) {
    return fmt::format("no GPU can be used: the NVIDIA driver is made for CUDA {}, this program for CUDA {}; install a newer driver",
                       version_text(driver), version_text(runtime));
  }
  if (error == cudaErrorNoDevice) {
    return "no GPU can be used: the NVIDIA driver shows none (is it hidden by CUDA_VISIBLE_DEVICES, or not given to this container?)";
  }
  return fmt::format("no GPU can be used: {} ({})", cudaGetErrorString(error), cudaGetErrorName(error));
}

}  // namespace glyph
