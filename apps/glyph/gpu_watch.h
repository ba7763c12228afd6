// GpuWatch: looks after the GPUs while a server runs, and says so once when one of them is slowed down.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tensor/gpu_health.h"

namespace glyph {

// What changed from one look to the next: a line for each GPU that became slow, and for each that no longer is.
class SlowGpus {
 public:
  struct Change {
    bool slow = false;
    std::string line;
  };
  std::vector<Change> look(const std::vector<GpuHealth>& gpus);

 private:
  std::vector<bool> slow_;  // by GPU
};

// Its thread is called "glyph-gpu"; without GPUs it ends at once.
class GpuWatch {
 public:
  explicit GpuWatch(std::chrono::milliseconds interval = std::chrono::seconds(10));
  ~GpuWatch();
  GpuWatch(const GpuWatch&) = delete;
  GpuWatch& operator=(const GpuWatch&) = delete;

 private:
  void watch();

  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;  // guarded by mutex_
  std::thread thread_;
};

// A warning for each GPU that is slowed down now; for commands that run once.
void warn_of_slow_gpus();

}  // namespace glyph
