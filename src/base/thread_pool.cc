#include "base/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>

namespace glyph {

struct ThreadPool::Loop {
  size_t count;
  size_t slice;
  const std::function<void(size_t, size_t)>* body;
  std::atomic<size_t> next{0};
};

ThreadPool::ThreadPool(int num_threads, std::string name, int spin_microseconds)
    : name_(std::move(name)), spin_(spin_microseconds) {
  if (num_threads <= 0) num_threads = std::max(1u, std::thread::hardware_concurrency());
  for (int i = 1; i < num_threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    ++generation_;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run_slices(Loop& loop) {
  for (;;) {
    const size_t begin = loop.next.fetch_add(loop.slice, std::memory_order_relaxed);
    if (begin >= loop.count) return;
    (*loop.body)(begin, std::min(loop.count, begin + loop.slice));
  }
}

void ThreadPool::parallel_for(size_t count, size_t grain, const std::function<void(size_t, size_t)>& body) {
  if (count == 0) return;
  grain = std::max<size_t>(grain, 1);
  if (workers_.empty() || count <= grain) return body(0, count);

  std::lock_guard caller(caller_mutex_);
  // Sixteen slices a thread: small enough to even out, large enough to keep the counter cold.
  const size_t slices = std::min((count + grain - 1) / grain, (workers_.size() + 1) * 16);
  Loop loop{.count = count, .slice = (count + slices - 1) / slices, .body = &body};
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    loop_ = &loop;
    ++generation_;
    wake = sleeping_ > 0;
  }
  if (wake) wake_.notify_all();
  run_slices(loop);
  {
    std::lock_guard lock(mutex_);
    loop_ = nullptr;  // a worker that comes late finds nothing
  }
  spin_until([this] { return busy_.load(std::memory_order_acquire) == 0; });
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return busy_ == 0; });
}

template <typename Condition>
void ThreadPool::spin_until(const Condition& condition) const {
  if (spin_.count() == 0) return;
  const auto deadline = std::chrono::steady_clock::now() + spin_;
  do {
    for (int i = 0; i < 64; ++i) {
      if (condition()) return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  } while (std::chrono::steady_clock::now() < deadline);
}

void ThreadPool::work(int index) {
  pthread_setname_np(pthread_self(), (name_ + "-" + std::to_string(index)).substr(0, 15).c_str());
  uint64_t seen = 0;
  for (;;) {
    spin_until([&] { return generation_.load(std::memory_order_acquire) != seen; });
    std::unique_lock lock(mutex_);
    ++sleeping_;
    wake_.wait(lock, [&] { return generation_ != seen; });
    --sleeping_;
    if (stop_) return;
    seen = generation_;
    Loop* loop = loop_;
    if (loop == nullptr) continue;  // done without this worker
    ++busy_;
    lock.unlock();
    run_slices(*loop);
    lock.lock();
    if (--busy_ == 0) done_.notify_all();
  }
}

}  // namespace glyph
