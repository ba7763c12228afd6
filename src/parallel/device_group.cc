#include "parallel/device_group.h"

#include <fmt/format.h>
#include <pthread.h>

#include <chrono>

namespace glyph {
namespace {

// Between the tokens of an answer a rank's thread watches for the next one: waking a sleeper takes as long as several layers.
constexpr std::chrono::microseconds kWatch{300};

template <typename Condition>
void watch(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + kWatch;
  while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
}

}  // namespace

DeviceGroup::DeviceGroup(Device& device) : DeviceGroup({&device}, {}) {}

Result<std::unique_ptr<DeviceGroup>> DeviceGroup::open(std::vector<Device*> devices, const ConnectOptions& options) {
  Communicators communicators;
  if (devices.size() > 1) { GLYPH_ASSIGN_OR_RETURN(communicators, connect(devices, options)); }
  return std::unique_ptr<DeviceGroup>(new DeviceGroup(std::move(devices), std::move(communicators)));
}

DeviceGroup::DeviceGroup(std::vector<Device*> devices, Communicators communicators)
    : devices_(std::move(devices)),
      communicators_(std::move(communicators)),
      barrier_(static_cast<int>(devices_.size())),
      said_{std::vector<Status>(devices_.size()), std::vector<Status>(devices_.size())},
      num_agreed_(devices_.size()),
      agreed_failure_(devices_.size()),
      results_(devices_.size()) {
  for (int rank = 1; rank < size(); ++rank) {
    threads_.emplace_back([this, rank] { serve(rank); });
    pthread_setname_np(threads_.back().native_handle(), fmt::format("glyph-rank-{}", rank).c_str());
  }
}

DeviceGroup::~DeviceGroup() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void DeviceGroup::serve(int rank) {
  uint64_t seen = 0;
  for (;;) {
    watch([&] { return num_runs_.load(std::memory_order_acquire) != seen; });
    const std::function<Status(int rank)>* work = nullptr;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ending_ || num_runs_.load(std::memory_order_relaxed) != seen; });
      if (ending_) return;
      seen = num_runs_.load(std::memory_order_relaxed);
      work = work_;
    }
    run_rank(rank, *work);
    std::lock_guard lock(mutex_);
    if (num_busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) changed_.notify_all();
  }
}

// What all ranks agreed on is no reason to break up.
void DeviceGroup::run_rank(int rank, const std::function<Status(int rank)>& work) {
  const auto index = static_cast<size_t>(rank);
  agreed_failure_[index] = false;
  results_[index] = work(rank);
  if (!results_[index].ok() && size() > 1 && !agreed_failure_[index]) break_up(results_[index]);
}

Status DeviceGroup::run(const std::function<Status(int rank)>& work) {
  if (size() == 1) return work(0);
  {
    std::lock_guard lock(mutex_);
    if (!broken_.ok()) return broken_;
    work_ = &work;
    num_busy_.store(size() - 1, std::memory_order_relaxed);
    num_runs_.fetch_add(1, std::memory_order_release);
  }
  changed_.notify_all();
  run_rank(0, work);
  const auto done = [&] { return num_busy_.load(std::memory_order_acquire) == 0; };
  watch(done);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, done);
  if (!broken_.ok()) return broken_;
  for (const Status& result : results_) GLYPH_RETURN_IF_ERROR(result);
  return {};
}

// A rank is at most one agreement ahead of another, so two sets of what was said are enough.
Status DeviceGroup::agree(int rank, const Status& status) {
  if (size() == 1) return status;
  const auto index = static_cast<size_t>(rank);
  std::vector<Status>& said = said_[num_agreed_[index] % 2];
  said[index] = status;
  if (!barrier_.arrive()) {
    std::lock_guard lock(mutex_);
    return broken_;
  }
  ++num_agreed_[index];
  for (const Status& one : said) {
    agreed_failure_[index] = !one.ok();
    GLYPH_RETURN_IF_ERROR(one);
  }
  return {};
}

Status DeviceGroup::give_up(const Status& status) {
  if (size() > 1) break_up(status);
  return status;
}

void DeviceGroup::break_up(const Status& why) {
  {
    std::lock_guard lock(mutex_);
    if (!broken_.ok()) return;
    broken_ = why;
  }
  barrier_.abort();
  for (const auto& communicator : communicators_) communicator->abort();
}

}  // namespace glyph
