#include "schedule/scheduler.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "engine/stopwatch.h"
#include "schedule/cache_identity.h"

namespace glyph {
namespace {

// Answers keep 75 % of the engine while documents are read, and half of it beside questions, which may be read at once if that
// is soon done.
constexpr double kDocumentSeconds = 1.0 / 3, kDocumentBurst = 0.05;
constexpr double kQuestionSeconds = 1.0, kQuestionBurst = 0.25;

constexpr double kMaxWriteSeconds = 10;  // at the end, for what is not on disk yet
constexpr std::chrono::milliseconds kDiskPause{20};  // until an engine without work looks again whether the disk takes more

constexpr size_t kMaxDraftingAnswers = 4;
constexpr size_t kMaxQueuedPieces = 2;  // of a GPU: so soon is a stop over, and a question's turn

int64_t blocks_in(size_t bytes, const KvLayout& layout) { return static_cast<int64_t>(bytes / layout.block_bytes()); }

}  // namespace

Scheduler::Scheduler(Replica replica, const SchedulerOptions& options, DiskTierPtr disk, JobHeir heir)
    : replica_(std::move(replica)),
      model_(*replica_.model),
      options_(options),
      heir_(std::move(heir)),
      layout_(model_.language().kv_layout()),
      max_active_blocks_(blocks_in(options.active_kv_bytes, layout_)),
      max_blocks_(max_active_blocks_ + blocks_in(options.prefix_bytes, layout_)),
      pool_(std::make_unique<KvBlockPool>(model_.group().devices(), layout_, max_blocks_)),
      caches_(*pool_, {.features = options.feature_bytes, .kv = options.prefix_bytes, .ram = options.ram_bytes}, std::move(disk)),
      documents_(kDocumentSeconds, kDocumentBurst),
      questions_(kQuestionSeconds, kQuestionBurst) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "glyph-engine");
}

Scheduler::~Scheduler() { join(); }

void Scheduler::end() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
}

void Scheduler::join() {
  end();
  if (thread_.joinable()) thread_.join();
}

Status Scheduler::offer(JobRequest& request, JobListener& listener, const std::stop_token& stop) {
  {
    const std::lock_guard lock(mutex_);
    if (ending_) return exhausted("the server is shutting down");
    if (stats_.engine == EngineState::kFailed) return cancelled(stats_.engine_failure);
    if (request.kind == JobRequest::Kind::kAnswer && stats_.num_waiting + submitted_.size() >= options_.max_waiting) {
      return exhausted(fmt::format("{} questions wait already; try again later", options_.max_waiting));
    }
    auto job = std::make_unique<Job>(model_, std::move(request), std::move(listener), stop);
    for (const Source* source : job->sources()) ++read_by_[source];
    submitted_.push_back(std::move(job));
  }
  changed_.notify_all();
  return {};
}

void Scheduler::notify() {
  {
    const std::lock_guard lock(mutex_);
    notified_ = true;
  }
  changed_.notify_all();
}

void Scheduler::forget(const std::string& id, SourcePtr source) {
  {
    const std::lock_guard lock(mutex_);
    deleted_.emplace_back(id, std::move(source));
    notified_ = true;
  }
  changed_.notify_all();
}

bool Scheduler::is_on_disk(const Source::Known& known) const {
  const Digest head = head_of({{Role::kUser, {SourcePtr()}, {}}});
  std::vector<Digest> pages;
  for (const Source::Page& page : known.pages) pages.push_back(page.key);
  return !pages.empty() && caches_.is_on_disk(head, pages);
}

std::string Scheduler::disk_identity() const {
  const Digest* identity = caches_.disk_identity();
  return identity == nullptr ? "" : hex(*identity);
}

void Scheduler::run() {
  for (;;) {
    const bool worked = step();
    std::unique_lock lock(mutex_);
    if (ending_) break;
    if (worked || !submitted_.empty()) continue;
    if (num_active_ == 0) {
      if (std::exchange(check_due_, false)) {  // not at every look whether the disk takes more: others write to it meanwhile
        lock.unlock();
        Status checked = caches_.check_integrity();
        lock.lock();
        if (!checked.ok()) log_error("{}", checked.message());
        failed_check_ = std::move(checked);
      }
      if (submitted_.empty()) idle_.notify_all();
    }
    at_rest_ = true;
    const auto woken = [this] { return ending_ || notified_ || !submitted_.empty(); };
    if (stats_.caches.num_waiting == 0) changed_.wait(lock, woken);
    else changed_.wait_for(lock, kDiskPause, woken);
    at_rest_ = notified_ = false;
  }
  admit_submitted();
  for (const auto& job : jobs_) job->end(cancelled("the server is shutting down"));
  jobs_.clear();
  caches_.write_all(kMaxWriteSeconds);
  idle_.notify_all();
}

// One token for every answer, then one piece of reading. False when there was nothing to do.
bool Scheduler::step() {
  admit_submitted();
  drop_stopped();
  forget_deleted();
  if (pool_ == nullptr) return give_up_jobs();
  decode();
  if (recover()) return true;
  Job* const reader = next_reader();
  if (reader != nullptr) piece(*reader);
  if (recover()) return true;
  const Stopwatch copying;
  const bool wrote = caches_.write_one();
  if (wrote) documents_.read(copying.seconds());
  publish();
  return reader != nullptr || wrote || std::any_of(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->stage() == Job::Stage::kDecode; });
}

void Scheduler::admit_submitted() {
  const std::lock_guard lock(mutex_);
  for (auto& job : submitted_) jobs_.push_back(std::move(job));
  submitted_.clear();
  num_active_ = jobs_.size();
}

void Scheduler::drop_stopped() {
  std::vector<Job*> stopped;
  for (const auto& job : jobs_) {
    if (job->stopped() && job.get() != reading_) stopped.push_back(job.get());
  }
  for (Job* job : stopped) end_job(*job, cancelled("the request was stopped"));
}

// After the jobs that were stopped with the document are gone.
void Scheduler::forget_deleted() {
  std::vector<std::pair<std::string, SourcePtr>> deleted;
  {
    const std::lock_guard lock(mutex_);
    deleted.swap(deleted_);
    check_due_ = check_due_ || !deleted.empty();
  }
  for (const auto& [id, source] : deleted) {
    if (source != nullptr) source->forget();
    caches_.forget(id);
  }
}

// False: there are no blocks for it now.
bool Scheduler::decode() {
  std::vector<Job::Branch*> branches;
  std::vector<Job*> owners;
  const bool writing = is_writing();  // background answers wait meanwhile
  for (const auto& job : jobs_) {
    if (job->stage() != Job::Stage::kDecode || (writing && job->is_background())) continue;
    job->append_running(branches);
    owners.resize(branches.size(), job.get());
  }
  if (branches.empty()) return true;
  const Stopwatch watch;
  const std::vector<std::vector<int32_t>> ids = next_tokens(branches);
  int64_t blocks = 0;
  for (const auto& each : ids) blocks += blocks_for(std::ssize(each));
  if (!make_blocks(blocks)) return false;
  std::vector<NewTokens> tokens;
  for (size_t i = 0; i < branches.size(); ++i) tokens.push_back({.ids = ids[i], .cache = &branches[i]->cache()});
  const Result<Logits> logits = model_.language().decode(tokens);
  std::vector<std::pair<Job*, Status>> ended;
  int64_t row = 0;
  for (size_t i = 0; i < branches.size(); row += std::ssize(ids[i]), ++i) {
    if (!ended.empty() && ended.back().first == owners[i]) continue;  // one of its answers failed
    Status status = logits.status();
    if (logits.ok()) {
      const Result<size_t> accepted = branches[i]->take_decoded(ids[i], *logits, row);
      status = accepted.status();
      if (accepted.ok()) count_draft(ids[i].size() - 1, *accepted);
    }
    if (!status.ok() || owners[i]->stage() == Job::Stage::kDone) ended.emplace_back(owners[i], std::move(status));
  }
  for (auto& [job, status] : ended) end_job(*job, std::move(status));
  documents_.wrote(watch.seconds());
  questions_.wrote(watch.seconds());
  return true;
}

// The token of each answer that was chosen, and what may come behind it. Few answers leave rows of the pass unused; with many,
// rows that turn out wrong would cost the others time.
std::vector<std::vector<int32_t>> Scheduler::next_tokens(std::span<Job::Branch* const> branches) {
  const auto rows = static_cast<size_t>(model_.language().max_decode_rows()) / branches.size();
  const size_t room = branches.size() > kMaxDraftingAnswers || rows == 0 ? 0 : std::min(options_.draft_tokens, rows - 1);
  std::vector<std::vector<int32_t>> ids;
  for (Job::Branch* branch : branches) ids.push_back(branch->next_tokens(room));
  return ids;
}

void Scheduler::count_draft(size_t drafted, size_t accepted) {
  if (drafted == 0) return;
  const std::lock_guard lock(mutex_);
  ++stats_.num_drafts;
  stats_.draft_tokens += drafted;
  stats_.accepted_tokens += accepted;
}

// Somebody waits for the next token of an answer.
bool Scheduler::is_writing() const {
  return std::any_of(jobs_.begin(), jobs_.end(), [](const auto& job) { return job->stage() == Job::Stage::kDecode && !job->is_background(); });
}

bool Scheduler::may_read(const Job& job) const {
  if (job.stage() == Job::Stage::kDecode) return false;
  if (job.stage() != Job::Stage::kWaiting) return true;
  const auto runs = [&](const auto& other) {
    return other->is_question() && other->stage() >= Job::Stage::kPrefill && (job.is_background() || !other->is_background());
  };
  const auto running = static_cast<size_t>(std::count_if(jobs_.begin(), jobs_.end(), runs));
  if (job.is_question() && running >= options_.max_running) return false;
  return granted_blocks() == 0 || granted_blocks() + job.blocks_needed(layout_) <= max_active_blocks_;
}

// Questions first, then documents, both only as long as the answers that are written leave time; a question of the background only
// when there are none. The chosen job goes to the end of the line.
Job* Scheduler::next_reader() {
  const bool writing = is_writing();
  if (!writing) {
    documents_.reset();
    questions_.reset();
  }
  enum class Rank { kQuestion, kDocument, kBackground };
  for (const Rank rank : {Rank::kQuestion, Rank::kDocument, Rank::kBackground}) {
    if (rank == Rank::kBackground && writing) return nullptr;
    for (auto it = jobs_.begin(); it != jobs_.end(); ++it) {
      Job& job = **it;
      const Rank own = job.is_background() ? Rank::kBackground : job.is_question() ? Rank::kQuestion : Rank::kDocument;
      if (own != rank || !may_read(job)) continue;
      if (writing && !share_of(job).may_read()) return nullptr;
      std::rotate(it, it + 1, jobs_.end());
      return &job;
    }
  }
  return nullptr;
}

int64_t Scheduler::granted_blocks() const {
  int64_t sum = 0;
  for (const auto& job : jobs_) sum += job->blocks_granted();
  return sum;
}

// Those who were admitted and the tree in memory fit into the pool together. What others keep alive of what the tree has dropped
// since does not count, so they must let go of it when there is no room: the last in line first. False: the one that is being read
// cannot now.
bool Scheduler::make_blocks(int64_t count) {
  for (auto it = jobs_.rbegin(); it != jobs_.rend() && pool_->num_blocks_in_use() + count > max_blocks_; ++it) {
    if (it->get() != reading_ && (*it)->holds_blocks()) (*it)->let_go_of_blocks();
  }
  return reading_ == nullptr || pool_->num_blocks_in_use() + count <= max_blocks_;
}

void Scheduler::piece(Job& job) {
  TimeShare& share = share_of(job);
  since_spent_ = Stopwatch();
  reading_ = &job;
  if (job.stage() == Job::Stage::kPrefill) {
    prefill(job);
  } else {
    Status status = job.stage() == Job::Stage::kPages ? job.read_pages(caches_, pace()) : try_prefill(job);
    if (!status.ok() || job.stage() == Job::Stage::kDone) end_job(job, std::move(status));
  }
  reading_ = nullptr;
  wait_for_device();
  share.read(since_spent_.seconds());
}

Pace Scheduler::pace() {
  return {.soon_over = is_writing(), .pause = [this] { let_answers_go_on(); }};
}

// A GPU is only given the work of a piece. Beside answers it is waited for, so that reading is charged what it takes.
void Scheduler::wait_for_device() {
  if (model_.device().host_memory()) return;
  queued_.push_back(model_.device().mark());
  for (const size_t most = is_writing() ? 0 : kMaxQueuedPieces; queued_.size() > most; queued_.pop_front()) queued_.front()->wait();
}

// Inside a piece, which may take long: once reading has had its share, answers get theirs.
void Scheduler::let_answers_go_on() {
  TimeShare& share = share_of(*reading_);
  share.read(since_spent_.seconds());
  while (!share.may_read() && is_writing()) {
    drop_stopped();
    if (!decode()) break;
  }
  since_spent_ = Stopwatch();
}

// `first`, and questions of its rank that have as little left to read: together they cost little more than one.
std::vector<Job*> Scheduler::sharing_prefill(Job& first) {
  std::vector<Job*> jobs{&first};
  const auto is_short = [](Job& job) { return job.next_part(false).num_rows() <= LanguageModel::kShortRows; };
  if (!first.is_question() || !is_short(first)) return jobs;
  for (const auto& job : jobs_) {
    if (job.get() == &first || job->stage() != Job::Stage::kPrefill || !job->is_question()) continue;
    if (job->is_background() == first.is_background() && is_short(*job)) jobs.push_back(job.get());
  }
  return jobs;
}

void Scheduler::prefill(Job& first) {
  const std::vector<Job*> jobs = sharing_prefill(first);
  const Pace pace = this->pace();
  std::vector<PromptPart> parts;
  int64_t blocks = 0;
  for (Job* job : jobs) {
    parts.push_back(job->next_part(pace.soon_over));
    blocks += blocks_for(parts.back().num_rows()) + static_cast<int64_t>(job->num_page_ends(parts.back()));
    job->begin_part();
  }
  make_blocks(blocks);
  const Result<Logits> logits = model_.language().read(parts, jobs.size() == 1 ? ReadPauses{first.stop_token(), pace.pause} : ReadPauses{});
  int64_t row = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    Status status = logits.status();
    if (logits.ok()) {
      ops::LogitsRow own;
      if (parts[i].want_logits) own = logits->row(row++);
      status = jobs[i]->finish_part(parts[i], own, caches_);
    }
    if (!status.ok() || jobs[i]->stage() == Job::Stage::kDone) end_job(*jobs[i], std::move(status));
  }
}

Status Scheduler::try_prefill(Job& job) {
  const int64_t needed = job.blocks_needed(layout_);
  if (needed > max_active_blocks_) {
    return refused(fmt::format("the request needs {} KV blocks of {} tokens, the server has {}", needed, layout_.block_tokens,
                               max_active_blocks_));
  }
  return job.start_prefill(*pool_, needed);
}

std::unique_ptr<Job> Scheduler::take_out(Job& job) {
  const auto it = std::find_if(jobs_.begin(), jobs_.end(), [&](const auto& other) { return other.get() == &job; });
  std::unique_ptr<Job> owned = std::move(*it);
  jobs_.erase(it);
  const std::lock_guard lock(mutex_);
  num_active_ = jobs_.size();
  check_due_ = true;
  for (const Source* source : owned->sources()) {
    if (const auto count = read_by_.find(source); --count->second == 0) read_by_.erase(count);
  }
  return owned;
}

void Scheduler::end_job(Job& job, Status status) {
  const std::unique_ptr<Job> owned = take_out(job);
  {
    const std::lock_guard lock(mutex_);
    if (status.ok()) ++stats_.num_finished;
    else if (status.code() == StatusCode::kCancelled) ++stats_.num_cancelled;
    else ++stats_.num_failed;
    if (status.ok() && owned->is_question()) owned->add_to(stats_.prompt_tokens, stats_.cached_tokens, stats_.generated_tokens);
  }
  owned->end(std::move(status));
}

void Scheduler::publish() {
  const auto counts = [](const auto& job) { return job->is_question() && job->stage() < Job::Stage::kPrefill; };
  const auto waiting = static_cast<size_t>(std::count_if(jobs_.begin(), jobs_.end(), counts));
  const std::lock_guard lock(mutex_);
  num_active_ = jobs_.size();
  stats_.num_waiting = waiting;
  stats_.num_running = jobs_.size() - waiting;
  stats_.caches = caches_.stats();
  stats_.feature_bytes = stats_.caches.memory_feature_bytes;
  stats_.prefix_bytes = stats_.caches.memory_kv_bytes;
  stats_.kv_blocks_in_use = blocks_in_use();
  stats_.kv_block_tokens = layout_.block_tokens;
  stats_.max_kv_blocks = max_blocks_;
}

SchedulerStats Scheduler::stats() const {
  SchedulerStats stats;
  {
    const std::lock_guard lock(mutex_);
    stats = stats_;
  }
  stats.caches = caches_.with_disk(stats.caches);
  return stats;
}

Scheduler::Load Scheduler::load() const {
  const std::lock_guard lock(mutex_);
  return {stats_.engine, num_active_ + submitted_.size()};
}

size_t Scheduler::held(std::span<const SourceKeys> documents) const {
  size_t sum = 0;
  for (const SourceKeys& document : documents) {
    {
      const std::lock_guard lock(mutex_);
      if (read_by_.contains(document.source)) {
        sum += 2 * std::max<size_t>(1, document.pages.size());
        continue;
      }
    }
    for (size_t i = 0; i < document.pages.size(); ++i) {
      if (i < document.prefixes.size() && caches_.holds_kv(document.prefixes[i])) sum += 2;
      else if (caches_.holds_features(document.pages[i])) ++sum;
    }
  }
  return sum;
}

Status Scheduler::check_integrity() {
  std::unique_lock lock(mutex_);
  notified_ = check_due_ = true;
  changed_.notify_all();
  idle_.wait(lock, [this] { return ending_ || (at_rest_ && num_active_ == 0 && submitted_.empty() && !notified_ && stats_.caches.num_waiting == 0); });
  GLYPH_RETURN_IF_ERROR(failed_check_);
  lock.unlock();
  GLYPH_RETURN_IF_ERROR(caches_.check_files());
  lock.lock();
  const auto cached = static_cast<int64_t>(stats_.prefix_bytes / layout_.block_bytes());
  if (blocks_in_use() != cached) {
    return internal_error(fmt::format("{} KV blocks are in use, the prefix tree holds {}", blocks_in_use(), cached));
  }
  return {};
}

}  // namespace glyph
