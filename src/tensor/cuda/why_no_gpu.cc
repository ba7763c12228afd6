#include "tensor/cuda/why_no_gpu.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace glyph {
namespace {

std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

// The driver's own word, because the runtime says nothing about one that is too old for it. 0: there is none.
int driver_version() {
  void* const library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) return 0;
  int version = 1;
  if (auto* const ask = reinterpret_cast<int (*)(int*)>(dlsym(library, "cuDriverGetVersion"))) ask(&version);
  dlclose(library);
  return version;
}

}  // namespace

std::string why_no_gpu(cudaError_t error) {
  const int driver = driver_version();
  int runtime = 0;
  cudaRuntimeGetVersion(&runtime);
  cudaGetLastError();
  if (driver == 0) return "no GPU can be used: no NVIDIA driver is installed (libcuda.so.1 was not found)";
  if (error == cudaErrorInsufficientDriver && driver < runtime) {
    return fmt::format("no GPU can be used: the NVIDIA driver is made for CUDA {}, this program for CUDA {}; install a newer driver",
                       version_text(driver), version_text(runtime));
  }
  if (error == cudaErrorNoDevice) {
    return "no GPU can be used: the NVIDIA driver shows none (is it hidden by CUDA_VISIBLE_DEVICES, or not given to this container?)";
  }
  return fmt::format("no GPU can be used: {} ({})", cudaGetErrorString(error), cudaGetErrorName(error));
}

}  // namespace glyph
