// DeviceGroup: the devices that compute one model together, and the threads that drive them.
//
// A model splits its weights among the ranks and runs one pass as the same function on all of them. Rank 0 is the device that
// everything outside of the models knows: it has the features, the logits and the clock.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "glyph/status.h"
#include "parallel/barrier.h"
#include "parallel/communicator.h"

namespace glyph {

// run() is called by one thread at a time; inside it the ranks are the threads.
class DeviceGroup {
 public:
  // One device: everything runs on the caller's thread.
  explicit DeviceGroup(Device& device);
  // Errors are those of connect(). The devices must outlive the group.
  static Result<std::unique_ptr<DeviceGroup>> open(std::vector<Device*> devices, const ConnectOptions& options = {});
  ~DeviceGroup();
  DeviceGroup(const DeviceGroup&) = delete;
  DeviceGroup& operator=(const DeviceGroup&) = delete;

  int size() const { return static_cast<int>(devices_.size()); }
  Device& device(int rank = 0) const { return *devices_[static_cast<size_t>(rank)]; }
  std::span<Device* const> devices() const { return devices_; }
  Communicator& communicator(int rank) const { return *communicators_[static_cast<size_t>(rank)]; }

  // Calls work(rank) for all ranks at once, rank 0 on the caller's thread, and returns when all are done; the first rank's error
  // that is one. A rank that fails alone would leave the others waiting: the group then breaks, and every later run() says why.
  Status run(const std::function<Status(int rank)>& work);
  // Inside of run(): waits until all ranks are here and gives them all the same, the first rank's `status` that is an error. What
  // waits for a device comes behind it: a rank that failed has not queued what others wait for.
  Status agree(int rank, const Status& status);
  // Inside of run(), by all ranks: work was queued that will never be done, because agree() said that a rank failed.
  Status give_up(const Status& status);

 private:
  DeviceGroup(std::vector<Device*> devices, Communicators communicators);
  void run_rank(int rank, const std::function<Status(int rank)>& work);
  void serve(int rank);
  void break_up(const Status& why);

  const std::vector<Device*> devices_;
  const Communicators communicators_;
  Barrier barrier_;

  // By rank; only that rank writes, behind and before barriers.
  std::vector<Status> said_[2];
  std::vector<uint64_t> num_agreed_;
  std::vector<char> agreed_failure_;  // in this run
  std::vector<Status> results_;

  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<Status(int rank)>* work_ = nullptr;  // guarded by mutex_
  std::atomic<uint64_t> num_runs_{0};                      // written under mutex_, watched without
  std::atomic<int> num_busy_{0};                           // likewise: threads inside the current run
  bool ending_ = false;                                    // guarded by mutex_
  Status broken_;                                          // guarded by mutex_
  std::vector<std::thread> threads_;                       // of the ranks from 1 on
};

}  // namespace glyph
