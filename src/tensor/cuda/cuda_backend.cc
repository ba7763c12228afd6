#include "tensor/cuda_backend.h"

#include <fmt/format.h>

#include "base/check.h"
#include "tensor/cuda/cuda_device.h"
#include "tensor/cuda/why_no_gpu.h"

namespace glyph {

bool built_with_cuda() { return true; }

namespace {

Result<int> count_gpus() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess) return count;
  cudaGetLastError();
  return not_found(why_no_gpu(error));
}

}  // namespace

Result<std::vector<GpuInfo>> list_gpus() {
  GLYPH_ASSIGN_OR_RETURN(const int count, count_gpus());
  std::vector<GpuInfo> gpus;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties{};
    size_t free_bytes = 0, total_bytes = 0;
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) continue;
    if (cudaSetDevice(i) == cudaSuccess) cudaMemGetInfo(&free_bytes, &total_bytes);
    gpus.push_back({.name = properties.name,
                    .architecture = properties.major * 10 + properties.minor,
                    .total_bytes = properties.totalGlobalMem,
                    .free_bytes = free_bytes});
  }
  return gpus;
}

Result<std::vector<std::string>> gpu_bus_ids() {
  GLYPH_ASSIGN_OR_RETURN(const int count, count_gpus());
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i) {
    char id[32] = "";
    if (cudaDeviceGetPCIBusId(id, sizeof(id), i) == cudaSuccess) ids.emplace_back(id);
  }
  return ids;
}

Result<std::unique_ptr<Device>> open_cuda_device(const CudaOptions& options) {
  GLYPH_ASSIGN_OR_RETURN(const std::vector<GpuInfo> gpus, list_gpus());
  if (options.index < 0 || options.index >= static_cast<int>(gpus.size())) {
    return not_found(fmt::format("there is no GPU {}; the driver shows {}", options.index, gpus.size()));
  }
  GLYPH_ASSIGN_OR_RETURN(std::unique_ptr<CudaDevice> device, CudaDevice::open(options));
  return std::unique_ptr<Device>(std::move(device));
}

Result<DeviceMemoryUse> cuda_memory_use(Device& device) {
  size_t free_bytes = 0, total_bytes = 0;
  device.cuda().bind();
  const cudaError_t error = cudaMemGetInfo(&free_bytes, &total_bytes);
  if (error != cudaSuccess) return internal_error(fmt::format("cudaMemGetInfo: {}", cudaGetErrorString(error)));
  return DeviceMemoryUse{
      .total_bytes = total_bytes, .free_bytes = free_bytes, .held_bytes = device.cuda().num_bytes_held()};
}

CudaDevice& Device::cuda() {
  GLYPH_CHECK(kind_ == DeviceKind::kCuda);
  return static_cast<CudaDevice&>(*this);
}

}  // namespace glyph
