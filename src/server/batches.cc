#include "server/batches.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "base/text_file.h"

namespace glyph {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMaxMetaBytes = size_t{1} << 20;
constexpr const char* kOutputLog = "output.jsonl";
constexpr const char* kErrorLog = "errors.jsonl";

Status no_such(const std::string& id) { return not_found(fmt::format("there is no batch '{}'", id)); }

}  // namespace

Batches::Batches(fs::path dir, FileStore& files, AnswerRequest answer, const BatchLimits& limits)
    : dir_(std::move(dir)), files_(files), answer_(std::move(answer)), limits_(limits) {}

Result<std::unique_ptr<Batches>> Batches::open(const fs::path& dir, FileStore& files, AnswerRequest answer, const BatchLimits& limits) {
  std::error_code error;
  fs::create_directories(dir, error);
  if (error) return internal_error(fmt::format("{}: {}", dir.string(), error.message()));
  std::unique_ptr<Batches> batches(new Batches(dir, files, std::move(answer), limits));
  GLYPH_RETURN_IF_ERROR(batches->load_saved());
  batches->thread_ = std::thread([raw = batches.get()] { raw->run(); });
  pthread_setname_np(batches->thread_.native_handle(), "glyph-batches");
  return batches;
}

Batches::~Batches() {
  std::stop_source running;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    running = stop_running_;
  }
  changed_.notify_all();
  running.request_stop();
  if (thread_.joinable()) thread_.join();
}

Status Batches::load_saved() {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir_, error)) {
    const auto text = read_file(entry.path() / "batch.json", kMaxMetaBytes);
    auto batch = text.ok() ? parse_saved_batch(*text) : std::nullopt;
    std::error_code ignored;
    if (batch && batch->id == entry.path().filename().string()) batches_.emplace(batch->id, *std::move(batch));
    else if (entry.path().filename().string().starts_with("batch_")) fs::remove_all(entry.path(), ignored);  // what a crash left
  }
  return error ? internal_error(fmt::format("{}: {}", dir_.string(), error.message())) : Status();
}

Result<Batch> Batches::add(Batch asked) {
  GLYPH_ASSIGN_OR_RETURN(const StoredFile input, files_.get(asked.input_file));
  if (input.purpose != "batch") return usage_error(fmt::format("{} has the purpose {}, not batch", input.id, input.purpose));
  asked.id = random_id("batch_");
  asked.enter(BatchState::kValidating, unix_seconds());
  asked.expires_at = asked.created_at + kBatchSeconds;
  const std::lock_guard lock(mutex_);
  const auto unfinished = std::count_if(batches_.begin(), batches_.end(), [](const auto& entry) { return !entry.second.finished(); });
  if (static_cast<size_t>(unfinished) >= kMaxUnfinishedBatches) {
    return exhausted(fmt::format("{} batches are unfinished already; try again later", kMaxUnfinishedBatches));
  }
  if (batches_.size() >= kMaxBatches) forget_oldest();
  GLYPH_RETURN_IF_ERROR(save(asked));
  batches_.emplace(asked.id, asked);
  changed_.notify_all();
  return asked;
}

// With the lock.
void Batches::forget_oldest() {
  auto oldest = batches_.end();
  for (auto it = batches_.begin(); it != batches_.end(); ++it) {
    if (it->second.finished() && (oldest == batches_.end() || it->second.created_at < oldest->second.created_at)) oldest = it;
  }
  if (oldest == batches_.end()) return;
  std::error_code ignored;
  fs::remove_all(dir_ / oldest->first, ignored);
  batches_.erase(oldest);
}

std::vector<Batch> Batches::list() const {
  std::vector<Batch> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, batch] : batches_) all.push_back(batch);
  }
  std::stable_sort(all.begin(), all.end(), [](const Batch& a, const Batch& b) { return a.created_at > b.created_at; });
  return all;
}

Result<Batch> Batches::get(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto it = batches_.find(id);
  if (it == batches_.end()) return no_such(id);
  return it->second;
}

Result<Batch> Batches::cancel(const std::string& id) {
  std::stop_source running;
  Batch cancelled_batch;
  {
    const std::lock_guard lock(mutex_);
    const auto it = batches_.find(id);
    if (it == batches_.end()) return no_such(id);
    Batch& batch = it->second;
    if (batch.finished() || batch.state == BatchState::kFinalizing) {
      return usage_error(fmt::format("the batch is {}: it cannot be cancelled", name_of(batch.state)));
    }
    if (batch.state != BatchState::kCancelling) {
      batch.enter(BatchState::kCancelling, unix_seconds());
      GLYPH_RETURN_IF_ERROR(save(batch));
    }
    if (running_ == id) running = stop_running_;
    cancelled_batch = batch;
  }
  running.request_stop();  // without the lock: it calls back
  return cancelled_batch;
}

Status Batches::save(const Batch& batch) const {
  std::error_code error;
  fs::create_directories(dir_ / batch.id, error);
  if (error) return not_stored("the batch", error);
  const Status status = write_file_atomically(dir_ / batch.id / "batch.json", boost::json::serialize(batch_json(batch)));
  return status.ok() ? status : not_stored("the batch", status);
}

void Batches::enter(const std::string& id, BatchState state) {
  const std::lock_guard lock(mutex_);
  Batch& batch = batches_.at(id);
  if (batch.state == BatchState::kCancelling && state == BatchState::kInProgress) return;
  batch.enter(state, unix_seconds());
  if (const Status saved = save(batch); !saved.ok()) log_error("{}: {}", id, saved.message());
}

void Batches::run() {
  for (;;) {
    std::string next;
    {
      std::unique_lock lock(mutex_);
      const auto oldest = [&] {
        next.clear();
        int64_t created = 0;
        for (const auto& [id, batch] : batches_) {
          if (batch.finished() || (!next.empty() && batch.created_at >= created)) continue;
          next = id;
          created = batch.created_at;
        }
        return !next.empty();
      };
      changed_.wait(lock, [&] { return ending_ || oldest(); });
      if (ending_) return;
      running_ = next;
      stop_running_ = std::stop_source();
    }
    run_batch(next);
  }
}

void Batches::run_batch(const std::string& id) {
  std::stop_token stop;
  Batch batch;
  {
    const std::lock_guard lock(mutex_);
    batch = batches_.at(id);
    stop = stop_running_.get_token();
  }
  if (batch.state == BatchState::kCancelling) return finish(id, BatchState::kCancelled, {});
  if (batch.state == BatchState::kFinalizing) return finish(id, BatchState::kCompleted, {});
  const Status status = answer_lines(batch, stop);
  switch (status.code()) {
    case StatusCode::kOk: return finish(id, BatchState::kCompleted, {});
    case StatusCode::kDeadline: return finish(id, BatchState::kExpired, {});
    case StatusCode::kCancelled: {
      const std::lock_guard lock(mutex_);
      if (ending_) return;  // to be continued
      break;
    }
    default: return finish(id, BatchState::kFailed, status.message());
  }
  finish(id, BatchState::kCancelled, {});
}

Status Batches::answer_lines(const Batch& batch, std::stop_token stop) {
  if (!files_.get(batch.input_file).ok()) return refused("the input file was deleted");
  if (batch.state == BatchState::kValidating) enter(batch.id, BatchState::kInProgress);
  const fs::path dir = dir_ / batch.id;
  BatchRun lines({batch.id, batch.endpoint, files_.content(batch.input_file), dir / kOutputLog, dir / kErrorLog, batch.expires_at, limits_}, answer_,
                 [this, &batch](const BatchRun::Counts& counts) {
                   const std::lock_guard lock(mutex_);
                   Batch& known = batches_.at(batch.id);
                   known.total = counts.total;
                   known.completed = counts.completed;
                   known.failed = counts.failed;
                 });
  return lines.run(std::move(stop));
}

// What was written becomes a file; "" when nothing was. Its id depends on the batch alone: to do it twice does no harm.
std::string Batches::keep_lines(const Batch& batch, const char* log) {
  const auto written = MappedFile::open(dir_ / batch.id / log);
  if (!written.ok() || written->bytes().empty()) return {};
  StoredFile file;
  file.id = "file-" + hex(sha256(batch.id + log)).substr(0, 24);
  file.name = batch.id + "_" + log;
  file.purpose = "batch_output";
  const auto stored = files_.add(std::move(file), {reinterpret_cast<const char*>(written->bytes().data()), written->bytes().size()});
  if (!stored.ok()) log_error("{}: {}", batch.id, stored.status().message());
  return stored.ok() ? stored->id : "";
}

void Batches::finish(const std::string& id, BatchState state, const std::string& error) {
  if (state == BatchState::kCompleted) enter(id, BatchState::kFinalizing);
  const Batch batch = *get(id);
  const std::string output = keep_lines(batch, kOutputLog), errors = keep_lines(batch, kErrorLog);
  {
    const std::lock_guard lock(mutex_);
    Batch& known = batches_.at(id);
    known.output_file = output;
    known.error_file = errors;
    known.error = error;
    known.enter(state, unix_seconds());
    if (const Status saved = save(known); !saved.ok()) {
      log_error("{}: {}", id, saved.message());
      return;  // the logs stay, for the next start
    }
  }
  std::error_code ignored;
  fs::remove(dir_ / id / kOutputLog, ignored);
  fs::remove(dir_ / id / kErrorLog, ignored);
}

}  // namespace glyph
