// Job: one request on its way. Knows its stage; every call does one piece, so that a scheduler may do a piece of one, then of another.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "answer/draft.h"
#include "engine/model.h"
#include "engine/stopwatch.h"
#include "engine/work_clock.h"
#include "engine/writing.h"
#include "language/kv_cache.h"
#include "language/language_model.h"
#include "language/prompt.h"
#include "schedule/reading.h"
#include "schedule/request.h"

namespace glyph {

// Takes a job that was not begun over from a scheduler that computes no more, on that one's engine thread. Tells the listener if nobody can compute it.
using JobHeir = std::function<void(JobRequest request, JobListener listener, std::stop_token stop)>;

// One thread, after construction. Does not move: prompts point into it.
class Job {
 public:
  enum class Stage { kPages, kWaiting, kPrefill, kDecode, kDone };

  Job(const Model& model, JobRequest request, JobListener listener, std::stop_token stop);
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  Stage stage() const { return stage_; }
  bool is_question() const { return request_.kind == JobRequest::Kind::kAnswer; }
  bool is_background() const { return is_question() && request_.background; }
  bool stopped() const { return stop_.stop_requested(); }
  std::stop_token stop_token() const { return stop_; }
  std::vector<const Source*> sources() const;

  // kPages: checks the request at the first call.
  Status read_pages(Caches& caches, const Pace& pace = {});
  // kWaiting: KV blocks the job can ever hold, and the start of prefill once they are granted.
  int64_t blocks_needed(const KvLayout& layout) const;
  Status start_prefill(KvBlockPool& pool, int64_t blocks);
  int64_t blocks_granted() const { return blocks_granted_; }
  // kPages, kWaiting: blocks of the caches that it keeps alive, and letting go of them: its pages are looked up again from the first.
  bool holds_blocks() const { return blocks_granted_ == 0 && reading_ && !reading_->match().blocks.empty(); }
  void let_go_of_blocks();
  // Lets go of all that lies on the device, and begins again. False, and nothing happened: it had to before, or an answer is being
  // written.
  bool start_over();
  // Something of it was computed, whether it began anew since or not: it may be why a device is lost.
  bool was_begun() const { return begun_; }
  // Before that: the job is over without an end, and is computed there.
  void pass_to(const JobHeir& heir);
  // kPrefill: what is read next, and taking it in when the pass is over: its row of logits if the part wanted some.
  // Pages that a pass has room for are read together; after a document begins another part, so that what follows it does not change
  // how it is read.
  PromptPart next_part(bool soon_over);
  size_t num_page_ends(const PromptPart& part) const;  // in it: each takes a block, for what is kept of the page
  void begin_part() { prefill_clock_->begin(); }
  Status finish_part(const PromptPart& part, const ops::LogitsRow& logits, Caches& caches);

  // kDecode: one answer that still goes on.
  class Branch {
   public:
    KvCache& cache() { return cache_; }
    // As those of Writing; guesses come from the documents' text.
    std::vector<int32_t> next_tokens(size_t max_drafted);
    Result<size_t> take_decoded(std::span<const int32_t> decoded, const Logits& logits, int64_t first_row) {
      return writing_->take_decoded(decoded, logits, first_row, cache_);
    }

   private:
    friend class Job;
    Branch(Job& job, KvCache cache) : job_(job), cache_(std::move(cache)) {}
    Job& job_;
    KvCache cache_;
    AskListener listener_;
    std::optional<Writing> writing_;
  };
  void append_running(std::vector<Branch*>& branches);

  // Adds what it read and wrote to counters.
  void add_to(uint64_t& prompt_tokens, uint64_t& cached_tokens, uint64_t& generated_tokens) const;
  // Tells the listener how it ended. The job is over.
  void end(Status status);

 private:
  Status check();
  Status build_prompt();
  Status start_answers(const ops::LogitsRow& logits);
  void took_token();
  AnsweringOptions answering_options(int index) const;
  int64_t max_tokens() const;
  std::span<const DraftIndexPtr> texts();
  void keep_stored(Caches& caches) const;
  void touch_sources(Caches& caches) const;
  int64_t end_of_part(bool soon_over) const;
  void keep_prefix(int64_t end, Caches& caches);
  void report(AskStage stage);
  JobResult take_result();

  const Model& model_;
  JobRequest request_;
  const JobListener listener_;
  const std::stop_token stop_;
  const Stopwatch watch_;
  Stage stage_ = Stage::kPages;
  AskProgress progress_;
  JobResult result_;

  Digest head_{};
  std::unique_ptr<Caches> no_caches_;         // stand in for the shared ones when the request wants none
  std::optional<Reading> reading_;
  ChatPrompt chat_prompt_;
  std::vector<int32_t> rest_ids_;             // of chat_prompt_, without the match
  std::vector<FeaturesPtr> rest_pages_;
  std::vector<const PageFeatures*> rest_page_pointers_;
  struct PageEnd {
    int64_t token;      // in rest_ids_, behind its end mark
    bool ends_document;
  };
  std::deque<PageEnd> page_ends_;
  size_t num_kept_pages_ = 0;                 // in the prefix tree
  int64_t blocks_granted_ = 0;
  std::optional<KvCache> cache_;
  Prompt prompt_;
  int64_t read_ = 0;
  double waiting_since_ms_ = 0;               // by watch_
  bool begun_ = false;
  bool started_over_ = false;
  std::optional<WorkClock> prefill_clock_;
  std::deque<Branch> branches_;               // do not move
  std::optional<std::vector<DraftIndexPtr>> texts_;  // that answers may quote, once they were asked for
  std::optional<Stopwatch> decode_watch_;
};

}  // namespace glyph
