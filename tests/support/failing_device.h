// A device that fails for good when it is told to, as a GPU does after a CUDA error.
#pragma once

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>

#include "glyph/status.h"
#include "tensor/cpu_device.h"

namespace glyph {

// Shared by a test and the devices it lets be opened.
struct DeviceFaults {
  std::atomic<int> checks_left = 0;   // Device::take_status() calls up to the one that shows the error; 0: no error
  std::atomic<int> num_opened = 0;
  std::atomic<bool> gone = false;     // no device can be opened
};
using DeviceFaultsPtr = std::shared_ptr<DeviceFaults>;

class FailingDevice : public CpuDevice {
 public:
  explicit FailingDevice(DeviceFaultsPtr faults) : CpuDevice({.num_threads = 1}), faults_(std::move(faults)) {}

  Status take_status() override {
    if (faults_->checks_left > 0 && --faults_->checks_left == 0) failed_ = internal_error("the GPU reports an error: an illegal memory access");
    return failed_;
  }
  Status lost() const override { return failed_; }
  void download(void* to, const void* from, size_t num_bytes) override {
    if (faults_->checks_left == 1) std::memset(to, 0, num_bytes);  // the next check shows it
    else CpuDevice::download(to, from, num_bytes);
  }

  // For ModelOptions::open_device.
  static std::function<Result<std::unique_ptr<Device>>()> opener(DeviceFaultsPtr faults) {
    return [faults = std::move(faults)]() -> Result<std::unique_ptr<Device>> {
      if (faults->gone) return not_found("no GPU can be used: the driver shows none");
      ++faults->num_opened;
      return std::unique_ptr<Device>(std::make_unique<FailingDevice>(faults));
    };
  }

 private:
  const DeviceFaultsPtr faults_;
  Status failed_;
};

}  // namespace glyph
