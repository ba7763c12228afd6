#include "parallel/barrier.h"

#include <thread>

namespace glyph {
namespace {

constexpr int kSpins = 200;  // looks before a thread sleeps; each gives way to others

}  // namespace

bool Barrier::arrive() {
  std::unique_lock lock(mutex_);
  const uint64_t round = round_.load(std::memory_order_relaxed);
  if (aborted_.load(std::memory_order_relaxed)) return false;
  if (++num_waiting_ == num_threads_) {
    num_waiting_ = 0;
    round_.store(round + 1, std::memory_order_release);
    lock.unlock();
    changed_.notify_all();
    return true;
  }
  lock.unlock();
  for (int i = 0; i < kSpins && !passed(round); ++i) std::this_thread::yield();
  lock.lock();
  changed_.wait(lock, [&] { return passed(round); });
  return round_.load(std::memory_order_relaxed) != round;
}

void Barrier::abort() {
  {
    std::lock_guard lock(mutex_);
    aborted_.store(true, std::memory_order_release);
  }
  changed_.notify_all();
}

}  // namespace glyph
