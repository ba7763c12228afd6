// Scheduler: takes jobs from any thread and runs them on the engine thread. README.md beside this file tells how.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "cache/caches.h"
#include "engine/model.h"
#include "engine/stopwatch.h"
#include "glyph/status.h"
#include "schedule/job.h"
#include "schedule/reading.h"
#include "schedule/request.h"
#include "schedule/time_share.h"

namespace glyph {

// A copy of a model, on devices of its own.
struct Replica {
  const Model* model = nullptr;
  // After the device was lost: loads the model again (Model::reload). Empty: nothing is computed with it then.
  std::function<Status()> reload = {};
  std::string log_prefix = {};  // "replica 1: " where there are several
};

struct SchedulerOptions {
  size_t feature_bytes = size_t{1} << 30;      // features of pages kept; 0: none
  size_t prefix_bytes = size_t{2} << 30;       // KV of documents kept; 0: none
  size_t ram_bytes = 0;                        // what falls out of both, in RAM that the device copies to: for a GPU; 0: gone
  size_t active_kv_bytes = size_t{2} << 30;    // KV of jobs that run
  size_t max_running = 16;                     // questions at once
  size_t max_waiting = 256;                    // questions; one more is refused
  size_t draft_tokens = kDefaultDraftTokens;   // guessed ahead in an answer that quotes, while few are written; 0: none
  size_t max_device_failures = 3;              // within device_failure_seconds: this one and it computes no more
  double device_failure_seconds = 600;
  double reload_pause_seconds = 1;             // after a reload that failed
};

enum class EngineState { kRunning, kReloading, kFailed };

struct SchedulerStats {
  EngineState engine = EngineState::kRunning;
  std::string engine_failure;  // kFailed: why, in a sentence
  uint64_t num_reloads = 0;
  size_t num_waiting = 0;
  size_t num_running = 0;
  uint64_t num_finished = 0;
  uint64_t num_failed = 0;
  uint64_t num_cancelled = 0;
  uint64_t prompt_tokens = 0;
  uint64_t cached_tokens = 0;
  uint64_t generated_tokens = 0;
  uint64_t num_drafts = 0;
  uint64_t draft_tokens = 0;
  uint64_t accepted_tokens = 0;  // of draft_tokens
  size_t feature_bytes = 0;
  size_t prefix_bytes = 0;
  int64_t kv_blocks_in_use = 0;
  int64_t max_kv_blocks = 0;
  int64_t kv_block_tokens = 0;
  CacheStats caches;
};

// A document of a request, by what caches know its pages by.
struct SourceKeys {
  const Source* source = nullptr;
  std::vector<Digest> pages;     // content; empty: not known yet
  std::vector<Digest> prefixes;  // the prefix_key() up to each page, as far as the prefix tree may have it
};

class Scheduler {
 public:
  // The model must outlive it; nobody else may compute with it meanwhile. `disk`: open_disk() of an equal model, for several schedulers
  // or one, or nullptr. `heir` takes the jobs that are left, and were not begun, when nothing is computed any more; the others, or without one all, fail.
  Scheduler(Replica replica, const SchedulerOptions& options, DiskTierPtr disk, JobHeir heir = {});
  const Model& model() const { return model_; }
  // end() and the end of the thread.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Any thread. kExhausted when too many questions wait, kCancelled when nothing is computed any more; the listener then hears nothing.
  // A requested stop ends the job within one piece of work; notify() makes an idle thread look.
  Status submit(JobRequest request, JobListener listener, const std::stop_token& stop) { return offer(request, listener, stop); }
  // The same, for whoever asks another one next: request and listener are taken only when it returns OK.
  Status offer(JobRequest& request, JobListener& listener, const std::stop_token& stop);
  void notify();
  // Any thread. A stored document was deleted: with it go what only it had in the caches, on disk, too. `source` may be nullptr.
  void forget(const std::string& id, SourcePtr source);
  // Any thread. Stored documents but these are gone: for the start.
  void retain(std::vector<std::string> ids) { caches_.retain_owners(std::move(ids)); }

  // Stops every job; their listeners hear kCancelled, on the engine thread.
  void end();
  // One thread. end(), and waits until no listener is called any more.
  void join();

  // Any thread. Jobs that were submitted and have not ended, and whether more are computed.
  struct Load {
    EngineState engine = EngineState::kRunning;
    size_t num_jobs = 0;
  };
  Load load() const;
  // Any thread. How much of these documents is in memory, of the device or in RAM below it: 2 for a page whose KV is, 1 for one whose features are. A document that a job
  // reads counts as if all of it were.
  size_t held(std::span<const SourceKeys> documents) const;

  // Any thread. Whether a document can be asked about at once after a start, without being opened and read first; "" and never
  // without a disk.
  bool is_on_disk(const Source::Known& known) const;
  std::string disk_identity() const;

  // Any thread.
  SchedulerStats stats() const;
  size_t num_unfinished() const { return load().num_jobs; }
  // Waits until nothing is left to do or to write, then checks caches, files and blocks; for tests.
  Status check_integrity();

 private:
  void run();
  bool step();
  void admit_submitted();
  void drop_stopped();
  void forget_deleted();
  bool decode();
  std::vector<std::vector<int32_t>> next_tokens(std::span<Job::Branch* const> branches);
  void count_draft(size_t drafted, size_t accepted);
  bool is_writing() const;
  TimeShare& share_of(const Job& job) { return job.is_question() ? questions_ : documents_; }
  Pace pace();
  void let_answers_go_on();
  void wait_for_device();
  bool recover();
  void drop_device_memory(const Status& failure);
  bool may_reload();
  Status reload();
  bool pause_before_reload();
  void compute_no_more(const Status& failure);
  bool give_up_jobs();
  void set_engine(EngineState state);
  bool may_read(const Job& job) const;
  Job* next_reader();
  void piece(Job& job);
  Status try_prefill(Job& job);
  void prefill(Job& first);
  std::vector<Job*> sharing_prefill(Job& first);
  std::unique_ptr<Job> take_out(Job& job);
  void end_job(Job& job, Status status);
  void publish();
  int64_t granted_blocks() const;
  int64_t blocks_in_use() const { return pool_ == nullptr ? 0 : pool_->num_blocks_in_use(); }
  bool make_blocks(int64_t count);
  // That appending so many tokens to a sequence may take: a last block that others hold is copied.
  int64_t blocks_for(int64_t tokens) const { return tokens / layout_.block_tokens + 2; }

  const Replica replica_;
  const Model& model_;
  const SchedulerOptions options_;
  const JobHeir heir_;
  const KvLayout layout_;
  const int64_t max_active_blocks_, max_blocks_;  // of jobs that were admitted; of the pool

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable idle_;
  std::deque<std::unique_ptr<Job>> submitted_;  // guarded by mutex_
  SchedulerStats stats_;                        // guarded by mutex_
  size_t num_active_ = 0;                       // guarded by mutex_: jobs that are not submitted_ any more
  std::map<const Source*, size_t> read_by_;     // guarded by mutex_: number of jobs that have a document
  bool notified_ = false;                       // guarded by mutex_
  bool at_rest_ = false;                        // guarded by mutex_: nothing was left to do, and nothing came since
  bool ending_ = false;                         // guarded by mutex_
  bool check_due_ = false;                      // guarded by mutex_: a job ended or a document was forgotten since the last check
  Status failed_check_;                         // guarded by mutex_: of the last check, when it went idle
  std::vector<std::pair<std::string, SourcePtr>> deleted_;  // guarded by mutex_: documents to forget

  std::unique_ptr<KvBlockPool> pool_;  // null: the device is gone
  Caches caches_;
  std::deque<std::unique_ptr<Job>> jobs_;  // engine thread; in turn
  TimeShare documents_, questions_;        // what they may take while answers are written
  Job* reading_ = nullptr;                 // whose piece is being done
  Stopwatch since_spent_;                  // time of the piece that is not counted yet
  std::deque<std::unique_ptr<DeviceMark>> queued_;  // ends of the pieces that a GPU may still be at
  std::deque<Stopwatch> device_failures_;  // since each of them
  std::thread thread_;
};

}  // namespace glyph
