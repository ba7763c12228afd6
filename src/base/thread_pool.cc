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

ThreadPool::ThreadPool(int num_threads, std::string name) : name_(std::move(name)) {
  if (num_threads <= 0) num_threads = std::max(1u, std::thread::hardware_concurrency());
  for (int i = 1; i < num_threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
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
  // Four slices a thread: small enough to even out, large enough to keep the counter cold.
  const size_t slices = std::min((count + grain - 1) / grain, workers_.size() * 4 + 4);
  Loop loop{.count = count, .slice = (count + slices - 1) / slices, .body = &body};
  {
    std::lock_guard lock(mutex_);
    loop_ = &loop;
    ++generation_;
  }
  wake_.notify_all();
  run_slices(loop);
  std::unique_lock lock(mutex_);
  loop_ = nullptr;  // a worker that wakes late finds nothing
  done_.wait(lock, [this] { return busy_ == 0; });
}

void ThreadPool::work(int index) {
  pthread_setname_np(pthread_self(), (name_ + "-" + std::to_string(index)).substr(0, 15).c_str());
  uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || (loop_ != nullptr && generation_ != seen); });
    if (stop_) return;
    seen = generation_;
    Loop* loop = loop_;
    ++busy_;
    lock.unlock();
    run_slices(*loop);
    lock.lock();
    if (--busy_ == 0) done_.notify_all();
  }
}

}  // namespace glyph
