// A fixed set of named threads that run the slices of a parallel loop.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace glyph {

// One loop at a time: parallel_for may be called from any thread, and concurrent calls wait for each other. A body must not
// call parallel_for of the same pool.
class ThreadPool {
 public:
  // `num_threads` counts the caller: 1 runs everything inline and starts no thread. 0 means one a core.
  // For `spin_microseconds` after a loop a thread watches for the next one before it sleeps: waking a sleeper costs more than a
  // short loop computes.
  explicit ThreadPool(int num_threads = 0, std::string name = "glyph-cpu", int spin_microseconds = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end) over disjoint slices that cover [0, count); slices hold at least `grain` items and are handed out
  // as threads become free. Returns when all are done.
  void parallel_for(size_t count, size_t grain, const std::function<void(size_t begin, size_t end)>& body);

 private:
  struct Loop;
  void work(int index);
  static void run_slices(Loop& loop);
  template <typename Condition>
  void spin_until(const Condition& condition) const;

  std::string name_;
  const std::chrono::microseconds spin_;
  std::mutex caller_mutex_;  // held by the thread inside parallel_for
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  Loop* loop_ = nullptr;     // guarded by mutex_
  std::atomic<uint64_t> generation_{0};  // of loops; written under mutex_, watched without
  std::atomic<int> busy_{0};             // workers inside the current loop; likewise
  int sleeping_ = 0;                     // guarded by mutex_: workers that need a wake_
  bool stop_ = false;                    // guarded by mutex_
  std::vector<std::thread> workers_;
};

}  // namespace glyph
