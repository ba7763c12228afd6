#include "tensor/device.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/check.h"
#include "tensor/cpu_device.h"

namespace glyph {
namespace {

// Work of the host is done when it returns.
class HostMark : public DeviceMark {
 public:
  void wait() override {}
  double ms_since(DeviceMark& earlier) override {
    return std::chrono::duration<double, std::milli>(time_ - static_cast<HostMark&>(earlier).time_).count();
  }

 private:
  std::chrono::steady_clock::time_point time_ = std::chrono::steady_clock::now();
};

}  // namespace

std::unique_ptr<DeviceMark> Device::mark() { return std::make_unique<HostMark>(); }

std::unique_ptr<Device> Device::pinned_host() { return std::make_unique<ReferenceDevice>(); }

bool Device::queue_download(void* to, const void* from, size_t num_bytes) {
  copy_bytes(to, from, num_bytes);
  return true;
}

bool Device::queue_upload(void* to, const void* from, size_t num_bytes) {
  copy_bytes(to, from, num_bytes);
  return true;
}

void DeviceMemoryDeleter::operator()(void* memory) const {
  if (memory != nullptr) device->free_bytes(memory);
}

DeviceMemory Device::allocate(size_t num_bytes) {
  return {allocate_bytes(num_bytes), DeviceMemoryDeleter{this}};
}

CpuDevice& Device::cpu() {
  GLYPH_CHECK(kind_ == DeviceKind::kCpu);
  return static_cast<CpuDevice&>(*this);
}

Device& host_device() {
  static ReferenceDevice device;
  return device;
}

void ReferenceDevice::copy_bytes(void* to, const void* from, size_t num_bytes) {
  std::memcpy(to, from, num_bytes);
}

void* ReferenceDevice::allocate_bytes(size_t num_bytes) {
  return ::operator new (num_bytes, std::align_val_t{64});
}

void ReferenceDevice::free_bytes(void* memory) { ::operator delete (memory, std::align_val_t{64}); }

}  // namespace glyph
