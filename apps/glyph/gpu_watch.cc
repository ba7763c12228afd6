#include "gpu_watch.h"

#include <fmt/format.h>
#include <pthread.h>

#include "base/log.h"

namespace glyph {

std::vector<SlowGpus::Change> SlowGpus::look(const std::vector<GpuHealth>& gpus) {
  std::vector<Change> changes;
  slow_.resize(gpus.size());
  for (size_t i = 0; i < gpus.size(); ++i) {
    const std::string warning = slow_warning(gpus[i]);
    const bool slow = !warning.empty();
    const std::string which = gpus.size() == 1 ? "" : fmt::format("GPU {}: ", i);
    if (slow != slow_[i]) changes.push_back({slow, which + (slow ? warning : gpus[i].name + " runs at full speed again")});
    slow_[i] = slow;
  }
  return changes;
}

GpuWatch::GpuWatch(std::chrono::milliseconds interval) : interval_(interval) {
  thread_ = std::thread([this] { watch(); });
  pthread_setname_np(thread_.native_handle(), "glyph-gpu");
}

GpuWatch::~GpuWatch() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void GpuWatch::watch() {
  SlowGpus slow;
  std::unique_lock lock(mutex_);
  while (!ending_) {
    lock.unlock();
    const std::vector<GpuHealth> gpus = gpu_health();
    for (const SlowGpus::Change& change : slow.look(gpus)) {
      if (change.slow) log_warning("{}", change.line);
      else log_info("{}", change.line);
    }
    lock.lock();
    if (gpus.empty()) return;
    changed_.wait_for(lock, interval_, [this] { return ending_; });
  }
}

void warn_of_slow_gpus() {
  for (const GpuHealth& gpu : gpu_health()) {
    if (const std::string warning = slow_warning(gpu); !warning.empty()) log_warning("{}", warning);
  }
}

}  // namespace glyph
