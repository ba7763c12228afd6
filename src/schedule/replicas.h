// Replicas: schedulers of one model, each with a copy of it on devices of its own, and which of them a request goes to.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "schedule/scheduler.h"

namespace glyph {

class Replicas {
 public:
  // A scheduler for each, at least one, all with these options: budgets are those of each. The models come from the same files and must
  // outlive it. `disk`: as open_disk() of the first; a replica on other hardware, whose numbers differ, does without.
  Replicas(const std::vector<Replica>& replicas, const SchedulerOptions& options, DiskTierPtr disk);
  // Stops every job and joins the threads.
  ~Replicas();
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;

  // What all have in common: names, configurations, the tokenizer.
  const Model& model() const { return schedulers_.front()->model(); }

  // As those of Scheduler, any thread. A request goes to the replica that has most of its documents in memory, unless many more jobs are
  // there than elsewhere, or else to the one with the fewest jobs; if that one refuses it, to the next one that does not. One whose device is lost for good is left out, and what was not begun
  // there goes to the others.
  Status submit(JobRequest request, JobListener listener, const std::stop_token& stop);
  void notify();
  void forget(const std::string& id, const SourcePtr& source);
  void retain(std::vector<std::string> ids) { schedulers_.front()->retain(std::move(ids)); }
  bool is_on_disk(const Source::Known& known) const { return schedulers_.front()->is_on_disk(known); }
  std::string disk_identity() const { return schedulers_.front()->disk_identity(); }

  // Any thread. One a replica; what they say of the disk is the same for all that use it.
  std::vector<SchedulerStats> stats() const;
  // For tests, as that of Scheduler.
  Status check_integrity();

 private:
  void take_over(JobRequest request, JobListener listener, const std::stop_token& stop);
  std::vector<size_t> by_preference(const std::vector<size_t>& held) const;

  const size_t max_ahead_;  // jobs that a replica with the documents may have more than another one
  std::vector<std::unique_ptr<Scheduler>> schedulers_;
  std::mutex mutex_;
  std::vector<uint64_t> chosen_at_;  // guarded by mutex_: by replica, the number of the last request that it was given
  uint64_t num_requests_ = 0;        // guarded by mutex_
};

}  // namespace glyph
