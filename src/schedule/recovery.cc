// What the scheduler does when its device is lost: ends what cannot go on, loads the model again, and begins the rest anew.
#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "base/log.h"
#include "schedule/scheduler.h"

namespace glyph {

// After a piece of work. True: the device was lost, and nothing that was chosen before holds any more.
bool Scheduler::recover() {
  Status failure = model_.device().lost();
  if (failure.ok()) return false;
  drop_device_memory(failure);
  for (;;) {
    device_failures_.emplace_back();
    if (!may_reload()) break;
    log_warning("{}{}; the model is loaded again", replica_.log_prefix, failure.message());
    failure = reload();
    if (failure.ok()) return true;
    if (!pause_before_reload()) return true;
  }
  compute_no_more(failure);
  return true;
}

// Answers that are written cannot go on; what is only read begins again, once.
void Scheduler::drop_device_memory(const Status& failure) {
  set_engine(EngineState::kReloading);
  queued_.clear();
  std::vector<Job*> ended;
  for (const auto& job : jobs_) {
    if (!job->start_over()) ended.push_back(job.get());
  }
  for (Job* job : ended) end_job(*job, failure);
  caches_.drop_memory();
  pool_.reset();
}

bool Scheduler::may_reload() {
  while (!device_failures_.empty() && device_failures_.front().seconds() > options_.device_failure_seconds) device_failures_.pop_front();
  return replica_.reload && device_failures_.size() < options_.max_device_failures;
}

Status Scheduler::reload() {
  GLYPH_RETURN_IF_ERROR(replica_.reload());
  if (model_.language().kv_layout() != layout_) return internal_error("the model's KV cache is not laid out as before");
  pool_ = std::make_unique<KvBlockPool>(model_.group().devices(), layout_, max_blocks_);
  caches_.use(*pool_);
  set_engine(EngineState::kRunning);
  return {};
}

// False: the scheduler ends.
bool Scheduler::pause_before_reload() {
  {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, std::chrono::duration<double>(options_.reload_pause_seconds), [this] { return ending_; })) return false;
  }
  drop_stopped();
  return true;
}

void Scheduler::compute_no_more(const Status& failure) {
  std::string sentence = "the device was lost and nothing is computed any more: " + failure.message();
  if (replica_.reload) {
    sentence = fmt::format("the device failed {} times within {:g} s and is not tried again: {}", device_failures_.size(),
                           options_.device_failure_seconds, failure.message());
  }
  log_error("{}{}", replica_.log_prefix, sentence);
  const std::lock_guard lock(mutex_);
  stats_.engine = EngineState::kFailed;
  stats_.engine_failure = std::move(sentence);
}

void Scheduler::set_engine(EngineState state) {
  const std::lock_guard lock(mutex_);
  if (state == EngineState::kRunning) ++stats_.num_reloads;
  stats_.engine = state;
}

// Once nothing is computed any more. True: there was one. What was begun may be why the device was lost, and must not take along others.
bool Scheduler::give_up_jobs() {
  const bool any = !jobs_.empty();
  const Status why = cancelled(stats().engine_failure);
  while (!jobs_.empty()) {
    Job& job = *jobs_.front();
    if (heir_ && !job.was_begun()) take_out(job)->pass_to(heir_);
    else end_job(job, why);
  }
  publish();
  return any;
}

}  // namespace glyph
