// Pinned host memory, and copies between it and the GPU that the host does not wait for.
#include "tensor/cuda/cuda_device.h"

namespace glyph {
namespace {

class PinnedHost : public ReferenceDevice {
 public:
  explicit PinnedHost(const CudaDevice& device) : device_(device) {}
  std::string description() const override { return "pinned host memory"; }

 protected:
  void* allocate_bytes(size_t num_bytes) override {
    device_.bind();
    void* memory = nullptr;
    if (cudaMallocHost(&memory, num_bytes) == cudaSuccess) return memory;
    cudaGetLastError();  // it would be reported again by the next launch
    return nullptr;
  }
  void free_bytes(void* memory) override {
    device_.bind();
    if (cudaFreeHost(memory) != cudaSuccess) cudaGetLastError();  // of a device that is lost: goes with its context
  }

 private:
  const CudaDevice& device_;
};

}  // namespace

std::unique_ptr<Device> CudaDevice::pinned_host() { return std::make_unique<PinnedHost>(*this); }

bool CudaDevice::queue_download(void* to, const void* from, size_t num_bytes) {
  if (!ok()) return false;
  note(cudaMemcpyAsync(to, from, num_bytes, cudaMemcpyDeviceToHost, stream_), "download");
  return ok();
}

bool CudaDevice::queue_upload(void* to, const void* from, size_t num_bytes) {
  if (!ok()) return false;
  note(cudaMemcpyAsync(to, from, num_bytes, cudaMemcpyHostToDevice, stream_), "upload");
  return ok();
}

}  // namespace glyph
