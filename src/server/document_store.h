// DocumentStore: documents that were uploaded, on disk and read ahead. Knows no HTTP and no JSON of the API.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "glyph/status.h"
#include "ingest/ingest.h"
#include "schedule/replicas.h"

namespace glyph {

enum class DocumentState { kUploaded, kExtracting, kDrawing, kEncoding, kReading, kReady, kFailed };
std::string_view name_of(DocumentState state);

// A copy of what is known of a document.
struct DocumentInfo {
  std::string id;  // "doc_" and a part of the digest of content and style
  std::string name;
  uint64_t bytes = 0;
  int64_t created_at = 0;  // Unix seconds
  DocumentState state = DocumentState::kUploaded;
  std::string error;       // of kFailed
  std::vector<std::string> warnings;
  std::optional<size_t> pages;
  size_t pages_done = 0;
  int64_t tokens_read = 0;
  int64_t tokens_to_read = 0;
  int64_t text_tokens = 0;
  int64_t image_tokens = 0;
  double dpi = 0;  // of its pages; 0: not known yet
  std::optional<double> left_ms;

  bool finished() const { return state == DocumentState::kReady || state == DocumentState::kFailed; }
};

struct DocumentStoreOptions {
  std::filesystem::path dir;  // created; holds one folder a document
  IngestOptions ingest;
  bool read_ahead = true;     // read documents before there is a question
};

// usual_style(), with the keys of `overrides` (a style file, "" for none) in their places. kRefused names the key; a font of the
// server's own files cannot be chosen.
Result<PageStyle> style_with(const Document& document, const ModelConfig& config, const std::string& overrides);

// Any thread.
class DocumentStore {
 public:
  // Takes up what the folder holds: what was read and is still on disk is ready at once and opened when somebody asks for it, the
  // rest is read again. kInternal: the folder cannot be used. The replicas must outlive it.
  static Result<std::unique_ptr<DocumentStore>> open(const DocumentStoreOptions& options, Replicas& replicas);
  ~DocumentStore();
  DocumentStore(const DocumentStore&) = delete;
  DocumentStore& operator=(const DocumentStore&) = delete;

  // The id a document gets, whether it is there or not.
  static std::string id_of(const std::string& name, std::string_view bytes, const std::string& style_overrides);
  // Stores and begins to read; a document that is there already stays as it is, unless it had failed.
  Result<DocumentInfo> add(const std::string& name, std::string_view bytes, const std::string& style_overrides);
  std::vector<DocumentInfo> list() const;  // newest first
  Result<DocumentInfo> get(const std::string& id) const;
  // Stops reading it and deletes it.
  Status remove(const std::string& id);
  // Waits until its text is there. kNotFound; kRefused when it failed; kCancelled.
  Result<SourcePtr> source(const std::string& id, std::stop_token stop);

  // Calls with every change from now on, on the thread that makes it, until the document has finished or the token is stopped. Calls
  // at once with what is known. kNotFound.
  using Watcher = std::function<void(const DocumentInfo& info)>;
  Status watch(const std::string& id, Watcher watcher, std::stop_token stop);

 private:
  struct Record;
  using RecordPtr = std::shared_ptr<Record>;

  DocumentStore(const DocumentStoreOptions& options, Replicas& replicas);
  Status load_saved();
  bool take_up_reading(Record& record) const;
  void run();
  void extract(const RecordPtr& record);
  void save(std::unique_lock<std::mutex>& lock);
  void read_ahead(const RecordPtr& record);
  void fail(const RecordPtr& record, const Status& status);
  void progress(const RecordPtr& record, const AskProgress& progress);
  void finish(const RecordPtr& record, const Result<JobResult>& result);
  void tell(const RecordPtr& record, std::unique_lock<std::mutex>& lock);
  RecordPtr find(const std::string& id) const;

  const DocumentStoreOptions options_;
  Replicas& replicas_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, RecordPtr> records_;  // guarded by mutex_, as are the records
  std::deque<RecordPtr> to_extract_;          // guarded by mutex_
  std::deque<RecordPtr> to_save_;             // guarded by mutex_: were read, and their folder does not say so yet
  RecordPtr opening_, saving_;                // guarded by mutex_
  size_t num_reading_ = 0;                    // guarded by mutex_: jobs whose listener points here
  bool ending_ = false;                       // guarded by mutex_
  std::thread thread_;                        // opens files, and writes what came of reading them
};

}  // namespace glyph
