// Batches: /v1/batches on disk and in the background, one batch after the other. Knows no HTTP but the requests it passes on.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "glyph/status.h"
#include "server/batch.h"
#include "server/batch_run.h"
#include "server/file_store.h"

namespace glyph {

constexpr size_t kMaxBatches = 1000;          // kept; the oldest finished one goes for a new one
constexpr size_t kMaxUnfinishedBatches = 64;
constexpr int64_t kBatchSeconds = 24 * 3600;  // the completion window

// Any thread.
class Batches {
 public:
  // Takes up what the folder holds; what was not finished goes on. The files and what `answer` needs must outlive it.
  static Result<std::unique_ptr<Batches>> open(const std::filesystem::path& dir, FileStore& files, AnswerRequest answer, const BatchLimits& limits = {});
  // Stops what runs; the next open() goes on with it.
  ~Batches();
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  // Endpoint, input file and metadata of `asked` count. kNotFound, kUsage: the input file; kExhausted: too many are unfinished.
  Result<Batch> add(Batch asked);
  std::vector<Batch> list() const;  // newest first
  Result<Batch> get(const std::string& id) const;
  // What is being asked is stopped; what was answered is kept. kUsage when the batch has finished.
  Result<Batch> cancel(const std::string& id);

 private:
  Batches(std::filesystem::path dir, FileStore& files, AnswerRequest answer, const BatchLimits& limits);
  Status load_saved();
  void run();
  void run_batch(const std::string& id);
  Status answer_lines(const Batch& batch, std::stop_token stop);
  void finish(const std::string& id, BatchState state, const std::string& error);
  std::string keep_lines(const Batch& batch, const char* log);
  void enter(const std::string& id, BatchState state);
  Status save(const Batch& batch) const;
  void forget_oldest();

  const std::filesystem::path dir_;
  FileStore& files_;
  const AnswerRequest answer_;
  const BatchLimits limits_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Batch> batches_;  // guarded by mutex_
  std::string running_;                   // guarded by mutex_: id
  std::stop_source stop_running_;         // guarded by mutex_
  bool ending_ = false;                   // guarded by mutex_
  std::thread thread_;
};

}  // namespace glyph
