// Barrier: where a fixed number of threads wait for each other, again and again, until one gives up.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace glyph {

// Threads that come within some microseconds do not sleep: they meet between the ops of a pass.
class Barrier {
 public:
  explicit Barrier(int num_threads) : num_threads_(num_threads) {}

  // Waits for all; false once abort() was called.
  bool arrive();
  void abort();

 private:
  bool passed(uint64_t round) const { return round_.load(std::memory_order_acquire) != round || aborted_.load(std::memory_order_acquire); }

  const int num_threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int num_waiting_ = 0;              // guarded by mutex_
  std::atomic<uint64_t> round_{0};   // written under mutex_
  std::atomic<bool> aborted_{false};  // likewise
};

}  // namespace glyph
