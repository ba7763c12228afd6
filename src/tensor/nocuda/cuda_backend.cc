// What stands behind tensor/cuda_backend.h in a build without the CUDA toolkit.
#include "tensor/cuda_backend.h"

#include "base/check.h"

namespace glyph {
namespace {

Status no_cuda() { return not_found("this program was built without CUDA"); }

}  // namespace

bool built_with_cuda() { return false; }
Result<std::vector<GpuInfo>> list_gpus() { return no_cuda(); }
Result<std::vector<std::string>> gpu_bus_ids() { return no_cuda(); }
Result<std::unique_ptr<Device>> open_cuda_device(const CudaOptions&) { return no_cuda(); }
Result<DeviceMemoryUse> cuda_memory_use(Device&) { return no_cuda(); }

CudaDevice& Device::cuda() {
  GLYPH_CHECK(!"no CUDA device exists in this build");
  return reinterpret_cast<CudaDevice&>(*this);
}

}  // namespace glyph
