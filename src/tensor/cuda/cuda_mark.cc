// Marks: events of the device's stream.
#include "tensor/cuda/cuda_device.h"

namespace glyph {
namespace {

class CudaMark : public DeviceMark {
 public:
  explicit CudaMark(CudaDevice& device) : device_(device) {
    if (!device.ok()) return;
    device.note(cudaEventCreate(&event_), "cudaEventCreate");
    if (event_ != nullptr) device.note(cudaEventRecord(event_, device.stream()), "cudaEventRecord");
  }
  ~CudaMark() override {
    if (event_ != nullptr) cudaEventDestroy(event_);
  }
  CudaMark(const CudaMark&) = delete;
  CudaMark& operator=(const CudaMark&) = delete;

  void wait() override {
    if (device_.ok() && event_ != nullptr) device_.note(cudaEventSynchronize(event_), "cudaEventSynchronize");
  }
  double ms_since(DeviceMark& earlier) override {
    auto& begin = static_cast<CudaMark&>(earlier);
    begin.wait();
    wait();
    float milliseconds = 0;
    if (device_.ok() && event_ != nullptr && begin.event_ != nullptr) {
      device_.note(cudaEventElapsedTime(&milliseconds, begin.event_, event_), "cudaEventElapsedTime");
    }
    return milliseconds;
  }

 private:
  CudaDevice& device_;
  cudaEvent_t event_ = nullptr;
};

}  // namespace

std::unique_ptr<DeviceMark> CudaDevice::mark() { return std::make_unique<CudaMark>(*this); }

}  // namespace glyph
