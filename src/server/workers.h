// Workers: a few threads for work that must keep neither the sockets nor the engine waiting.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace glyph {

// Any thread.
class Workers {
 public:
  Workers(int num_threads, size_t max_waiting);
  // Finishes what runs, drops what waits.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // False when too much waits already.
  bool post(std::function<void()> work);

 private:
  void run();

  const size_t max_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;  // guarded by mutex_
  bool ending_ = false;                        // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace glyph
