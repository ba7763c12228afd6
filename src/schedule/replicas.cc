#include "schedule/replicas.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "schedule/cache_identity.h"

namespace glyph {
namespace {

// Pages stand in the prefix tree up to the first one of the first turn with documents that is not known.
std::vector<SourceKeys> keys_of(const std::vector<ChatTurn>& turns) {
  std::vector<SourceKeys> documents;
  Digest prefix = head_of(turns);
  const auto first = std::find_if(turns.begin(), turns.end(), [](const ChatTurn& turn) { return !turn.sources.empty(); });
  for (auto turn = first; turn != turns.end(); ++turn) {
    bool in_tree = turn == first;
    for (const SourcePtr& source : turn->sources) {
      SourceKeys keys{source.get(), {}, {}};
      const Source::KnownPtr known = source->known();
      in_tree = in_tree && known != nullptr;
      for (size_t i = 0; known != nullptr && i < known->pages.size(); ++i) {
        keys.pages.push_back(known->pages[i].key);
        if (in_tree) keys.prefixes.push_back(prefix = prefix_key(prefix, keys.pages.back()));
      }
      documents.push_back(std::move(keys));
    }
  }
  return documents;
}

}  // namespace

Replicas::Replicas(const std::vector<Replica>& replicas, const SchedulerOptions& options, DiskTierPtr disk)
    : max_ahead_(std::max<size_t>(1, options.max_running / 2)), chosen_at_(replicas.size()) {
  GLYPH_CHECK(!replicas.empty());
  JobHeir heir;
  if (replicas.size() > 1) {
    heir = [this](JobRequest request, JobListener listener, const std::stop_token& stop) {
      take_over(std::move(request), std::move(listener), stop);
    };
  }
  for (const Replica& replica : replicas) {
    const bool shares = disk == nullptr || schedulers_.empty() || cache_identity(*replica.model) == disk->identity();
    if (!shares) log_warning("replica {} keeps nothing on disk: it computes on {}, the first on {}", schedulers_.size(),
                             replica.model->device().description(), model().device().description());
    schedulers_.push_back(std::make_unique<Scheduler>(replica, options, shares ? disk : nullptr, heir));
  }
}

// All are stopped before the first one goes: they hand jobs to each other.
Replicas::~Replicas() {
  for (const auto& scheduler : schedulers_) scheduler->end();
  for (const auto& scheduler : schedulers_) scheduler->join();
}

Status Replicas::submit(JobRequest request, JobListener listener, const std::stop_token& stop) {
  std::vector<size_t> held(schedulers_.size());
  if (request.use_cache && schedulers_.size() > 1) {
    const std::vector<SourceKeys> documents = keys_of(request.turns);
    for (size_t i = 0; i < held.size(); ++i) held[i] = schedulers_[i]->held(documents);
  }
  const std::lock_guard lock(mutex_);
  Status refusal;
  for (const size_t index : by_preference(held)) {
    Status status = schedulers_[index]->offer(request, listener, stop);
    if (status.ok()) {
      chosen_at_[index] = ++num_requests_;
      return status;
    }
    // That one is full says more than that another one has failed: the client may come again.
    if (refusal.ok() || (refusal.code() != StatusCode::kExhausted && status.code() == StatusCode::kExhausted)) refusal = std::move(status);
  }
  return refusal;
}

// Best first. Among equals the one that was given nothing for longest, so that documents spread over the memory of all.
std::vector<size_t> Replicas::by_preference(const std::vector<size_t>& held) const {
  struct Candidate {
    size_t index;
    Scheduler::Load load;
    int64_t missing;  // the less, the more of the request is held
    uint64_t chosen_at;
  };
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < held.size(); ++i) candidates.push_back({i, schedulers_[i]->load(), -static_cast<int64_t>(held[i]), chosen_at_[i]});
  const auto by_load = [](const Candidate& one) { return std::tuple(one.load.engine, one.load.num_jobs, one.missing, one.chosen_at); };
  const auto by_memory = [](const Candidate& one) { return std::tuple(one.load.engine, one.missing, one.load.num_jobs, one.chosen_at); };
  std::ranges::sort(candidates, {}, by_load);
  const auto holder = std::ranges::min_element(candidates, {}, by_memory);
  if (holder->missing < 0 && holder->load.num_jobs <= candidates.front().load.num_jobs + max_ahead_) std::rotate(candidates.begin(), holder, holder + 1);
  std::vector<size_t> indices;
  for (const Candidate& candidate : candidates) indices.push_back(candidate.index);
  return indices;
}

void Replicas::take_over(JobRequest request, JobListener listener, const std::stop_token& stop) {
  const auto on_end = listener.on_end;
  const Status status = submit(std::move(request), std::move(listener), stop);
  if (!status.ok() && on_end) on_end(status);
}

void Replicas::notify() {
  for (const auto& scheduler : schedulers_) scheduler->notify();
}

void Replicas::forget(const std::string& id, const SourcePtr& source) {
  for (const auto& scheduler : schedulers_) scheduler->forget(id, source);
}

std::vector<SchedulerStats> Replicas::stats() const {
  std::vector<SchedulerStats> all;
  for (const auto& scheduler : schedulers_) all.push_back(scheduler->stats());
  return all;
}

Status Replicas::check_integrity() {
  for (const auto& scheduler : schedulers_) GLYPH_RETURN_IF_ERROR(scheduler->check_integrity());
  return {};
}

}  // namespace glyph
