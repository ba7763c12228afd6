// JobRunner: a scheduler whose jobs are waited for.
#pragma once

#include <future>
#include <memory>
#include <stop_token>

#include "ladder/measure.h"
#include "schedule/scheduler.h"

namespace glyph {

class JobRunner {
 public:
  JobRunner(const Model& model, const SchedulerOptions& options, std::stop_token stop) : scheduler_(Replica{&model}, options, nullptr), stop_(std::move(stop)) {}

  std::future<Result<JobResult>> start(JobRequest request, JobListener listener) {
    auto promise = std::make_shared<std::promise<Result<JobResult>>>();
    listener.on_end = [promise](Result<JobResult> result) { promise->set_value(std::move(result)); };
    const Status status = scheduler_.submit(std::move(request), std::move(listener), stop_);
    std::future<Result<JobResult>> future = promise->get_future();
    if (!status.ok()) promise->set_value(status);
    return future;
  }
  Result<JobResult> run(JobRequest request, JobListener listener) { return start(std::move(request), std::move(listener)).get(); }

  SchedulerStats stats() const { return scheduler_.stats(); }

 private:
  Scheduler scheduler_;
  const std::stop_token stop_;
};

// A document is read, and kept.
inline JobRequest read_job(SourcePtr source) {
  JobRequest request;
  request.kind = JobRequest::Kind::kRead;
  request.turns.push_back({Role::kUser, {std::move(source)}, ""});
  return request;
}

// A question about it; greedy, as long as options say.
inline JobRequest question_job(SourcePtr source, const LadderOptions& options) {
  JobRequest request;
  request.turns.push_back({Role::kUser, {std::move(source)}, options.question});
  request.max_tokens = options.answer_tokens;
  request.sampling.temperature = 0;
  request.sampling.repetition_penalty = 1;
  request.sampling.ignore_eos = true;
  return request;
}

}  // namespace glyph
