#include "ladder/scheduled.h"

#include <future>
#include <vector>

#include "ladder/job_runner.h"
#include "ladder/stage_clock.h"

namespace glyph {
namespace {

using Question = LadderRow::Question;

class Scheduled : public Asking {
 public:
  Scheduled(const Model& model, Question question, const Workload& workload, const LadderOptions& options, std::stop_token stop)
      : model_(model), question_(question), workload_(workload), options_(options), stop_(std::move(stop)) {}

  Status begin() {
    restart();
    if (!LadderRow::is_first(question_)) GLYPH_RETURN_IF_ERROR(runner_->run(read_job(source_), {}).status());
    return LadderRow::quotes(question_) ? learn_answer() : Status();
  }

  Result<Asked> ask(StageClock* clock) override {
    if (LadderRow::is_first(question_)) restart();
    JobListener listener;
    if (clock != nullptr) {
      listener.on_progress = [clock](const AskProgress& progress) { clock->tick(progress.stage); };
      clock->start();
    }
    GLYPH_ASSIGN_OR_RETURN(const JobResult result, runner_->run(question_job(source_, options_), std::move(listener)));
    return Asked{.usage = result.usage, .timings = result.timings, .pages = result.pages};
  }

  double accepted_share() const override {
    const SchedulerStats stats = runner_->stats();
    return stats.draft_tokens == 0 ? 0 : static_cast<double>(stats.accepted_tokens) / static_cast<double>(stats.draft_tokens);
  }

 private:
  // Nothing is known any more, but for what the answer quotes.
  void restart() {
    runner_.reset();
    runner_ = std::make_unique<JobRunner>(model_, SchedulerOptions{.draft_tokens = LadderRow::quotes(question_) ? size_t{7} : 0}, stop_);
    source_ = std::make_shared<Source>(workload_.document, workload_.style);
    if (quoted_ != nullptr) source_->set_text(quoted_);
  }

  // The answer becomes what the document says, so that drafts are right: greedy, it will be written again.
  Status learn_answer() {
    std::vector<int32_t> ids;
    JobListener listener;
    listener.on_token = [&ids](int, const SampledToken& token) { ids.push_back(token.id); };
    GLYPH_RETURN_IF_ERROR(runner_->run(question_job(source_, options_), std::move(listener)).status());
    quoted_ = std::make_shared<const DraftIndex>(ids);
    source_->set_text(quoted_);
    return {};
  }

  const Model& model_;
  const Question question_;
  const Workload& workload_;
  const LadderOptions& options_;
  const std::stop_token stop_;
  std::unique_ptr<JobRunner> runner_;
  SourcePtr source_;
  DraftIndexPtr quoted_;
};

}  // namespace

Result<std::unique_ptr<Asking>> start_scheduled(const Model& model, Question question, const Workload& workload, const LadderOptions& options,
                                                std::stop_token stop) {
  auto scheduled = std::make_unique<Scheduled>(model, question, workload, options, std::move(stop));
  GLYPH_RETURN_IF_ERROR(scheduled->begin());
  return std::unique_ptr<Asking>(std::move(scheduled));
}

}  // namespace glyph
