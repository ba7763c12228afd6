#include "server/document_store.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/text_file.h"
#include "engine/stopwatch.h"
#include "server/file_store.h"
#include "server/saved_document.h"

namespace glyph {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

constexpr size_t kIdDigits = 32;

int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A reader names the file it read, which is nobody else's business: clients know it by another name.
Status with_name(const Status& status, const fs::path& file, const std::string& name) {
  const std::string path = file.string();
  std::string message = status.message();
  for (size_t at = message.find(path); at != std::string::npos; at = message.find(path, at + name.size())) message.replace(at, path.size(), name);
  return {status.code(), std::move(message)};
}

}  // namespace

struct DocumentStore::Record {
  DocumentInfo info;
  std::string style;  // overrides
  fs::path dir;
  SourcePtr source;   // set once extracted
  Source::KnownPtr known;  // of an earlier life, for the source
  std::stop_source stop;
  Stopwatch stage_watch;
  std::vector<std::pair<Watcher, std::stop_token>> watchers;

  fs::path content() const { return dir / ("content" + fs::path(info.name).extension().string()); }
};

std::string_view name_of(DocumentState state) {
  static constexpr std::string_view kNames[] = {"uploaded", "extracting", "drawing", "encoding", "reading", "ready", "failed"};
  return kNames[static_cast<size_t>(state)];
}

Result<PageStyle> style_with(const Document& document, const ModelConfig& config, const std::string& overrides) {
  const PageStyle base = usual_style(document, config);
  if (overrides.empty()) return base;
  boost::system::error_code error;
  json::value given = json::parse(overrides, error);
  if (error || !given.is_object()) return refused("style: is not a JSON object");
  json::object keys = json::parse(base.canonical_json()).as_object();
  for (const auto& [key, value] : given.get_object()) {
    if (key == "font-path") return refused("style: font-path cannot be chosen through the server");
    keys[key] = value;
  }
  GLYPH_ASSIGN_OR_RETURN(const PageStyle style, PageStyle::parse(json::serialize(keys), "style"));
  return style.with_font_for(document);
}

DocumentStore::DocumentStore(const DocumentStoreOptions& options, Replicas& replicas) : options_(options), replicas_(replicas) {}

Result<std::unique_ptr<DocumentStore>> DocumentStore::open(const DocumentStoreOptions& options, Replicas& replicas) {
  std::error_code error;
  fs::create_directories(options.dir, error);
  if (error) return internal_error(fmt::format("{}: {}", options.dir.string(), error.message()));
  std::unique_ptr<DocumentStore> store(new DocumentStore(options, replicas));
  GLYPH_RETURN_IF_ERROR(store->load_saved());
  std::vector<std::string> ids;
  for (const auto& [id, record] : store->records_) ids.push_back(id);
  replicas.retain(std::move(ids));
  store->thread_ = std::thread([raw = store.get()] { raw->run(); });
  pthread_setname_np(store->thread_.native_handle(), "glyph-documents");
  return store;
}

DocumentStore::~DocumentStore() {
  std::unique_lock lock(mutex_);
  ending_ = true;
  for (const auto& [id, record] : records_) record->stop.request_stop();
  changed_.notify_all();
  lock.unlock();
  replicas_.notify();
  if (thread_.joinable()) thread_.join();
  lock.lock();
  changed_.wait(lock, [this] { return num_reading_ == 0; });
}

// A folder without a readable meta.json is what a crash left behind.
Status DocumentStore::load_saved() {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(options_.dir, error)) {
    auto meta = load_meta(entry.path());
    if (!meta) {
      std::error_code ignored;
      if (entry.path().filename().string().starts_with("doc_")) fs::remove_all(entry.path(), ignored);
      continue;
    }
    auto record = std::make_shared<Record>();
    record->dir = entry.path();
    record->info.id = entry.path().filename().string();
    record->info.name = std::move(meta->name);
    record->info.created_at = meta->created_at;
    record->style = std::move(meta->style);
    std::error_code ignored;
    const auto size = fs::file_size(record->content(), ignored);
    if (ignored) continue;
    record->info.bytes = size;
    records_.emplace(record->info.id, record);
    if (!take_up_reading(*record)) to_extract_.push_back(std::move(record));
  }
  if (error) return internal_error(fmt::format("{}: {}", options_.dir.string(), error.message()));
  return {};
}

// True: it was read in an earlier life and the disk still has all of it, so that nothing need be done before a question asks.
bool DocumentStore::take_up_reading(Record& record) const {
  auto reading = load_reading(record.dir);
  if (!reading || (options_.read_ahead && (reading->identity != replicas_.disk_identity() || !replicas_.is_on_disk(reading->known)))) return false;
  DocumentInfo& info = record.info;
  info.state = DocumentState::kReady;
  info.dpi = reading->dpi;
  if (reading->identity != replicas_.disk_identity() || reading->known.pages.empty()) return true;
  info.pages = info.pages_done = reading->known.pages.size();
  info.tokens_read = info.tokens_to_read = reading->prompt_tokens;
  info.text_tokens = reading->known.text_tokens;
  info.image_tokens = reading->image_tokens;
  info.warnings = std::move(reading->warnings);
  record.known = std::make_shared<const Source::Known>(std::move(reading->known));
  return true;
}

std::string DocumentStore::id_of(const std::string& name, std::string_view bytes, const std::string& style_overrides) {
  Sha256 hash;
  hash.field(fs::path(name).extension().string()).field(style_overrides).field(bytes);
  return "doc_" + hex(hash.finish()).substr(0, kIdDigits);
}

Result<DocumentInfo> DocumentStore::add(const std::string& name, std::string_view bytes, const std::string& style_overrides) {
  if (bytes.empty()) return refused(fmt::format("{}: the file is empty", name));
  GLYPH_RETURN_IF_ERROR(style_with({}, replicas_.model().config(), style_overrides).status());
  const std::string id = id_of(name, bytes, style_overrides);
  {
    const std::lock_guard lock(mutex_);
    const auto it = records_.find(id);
    if (it != records_.end() && it->second->info.state != DocumentState::kFailed) return it->second->info;
  }
  auto record = std::make_shared<Record>();
  record->info.id = id;
  record->info.name = name;
  record->info.bytes = bytes.size();
  record->info.created_at = now_seconds();
  record->style = style_overrides;
  record->dir = options_.dir / id;
  std::error_code error;
  fs::create_directories(record->dir, error);
  if (error) return not_stored("the document", error);
  fs::remove(record->dir / "reading.json", error);  // of one that failed
  Status status = write_file_atomically(record->content(), bytes);
  if (status.ok()) status = save_meta(record->dir, {name, style_overrides, record->info.created_at});
  if (!status.ok()) {
    if (!get(id).ok()) fs::remove_all(record->dir, error);
    return not_stored("the document", status);
  }

  const std::lock_guard lock(mutex_);
  RecordPtr& place = records_[id];
  if (place != nullptr && place->info.state != DocumentState::kFailed) return place->info;  // two uploads at once
  place = record;
  to_extract_.push_back(record);
  changed_.notify_all();
  return record->info;
}

std::vector<DocumentInfo> DocumentStore::list() const {
  std::vector<DocumentInfo> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, record] : records_) all.push_back(record->info);
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.created_at > b.created_at; });
  return all;
}

DocumentStore::RecordPtr DocumentStore::find(const std::string& id) const {
  const auto it = records_.find(id);
  return it == records_.end() ? nullptr : it->second;
}

Result<DocumentInfo> DocumentStore::get(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const RecordPtr record = find(id);
  if (record == nullptr) return not_found(fmt::format("there is no document '{}'", id));
  return record->info;
}

Status DocumentStore::remove(const std::string& id) {
  RecordPtr record;
  SourcePtr source;
  {
    std::unique_lock lock(mutex_);
    record = find(id);
    if (record == nullptr) return not_found(fmt::format("there is no document '{}'", id));
    records_.erase(id);
    source = record->source;
    record->stop.request_stop();
    record->info.state = DocumentState::kFailed;
    record->info.error = "the document was deleted";
    tell(record, lock);
  }
  replicas_.forget(id, source);
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return saving_ != record; });
  }
  std::error_code error;
  fs::remove_all(record->dir, error);
  if (error) return internal_error(fmt::format("the document cannot be deleted: {}", error.message()));
  return {};
}

Result<SourcePtr> DocumentStore::source(const std::string& id, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  const RecordPtr record = find(id);
  if (record == nullptr) return not_found(fmt::format("there is no document '{}'", id));
  const auto waiting = std::find(to_extract_.begin(), to_extract_.end(), record);  // after a restart: before those nobody asks for
  if (waiting != to_extract_.end()) std::rotate(to_extract_.begin(), waiting, waiting + 1);
  else if (record->source == nullptr && record->info.state == DocumentState::kReady && opening_ != record) to_extract_.push_front(record);
  changed_.notify_all();
  changed_.wait(lock, stop, [&] { return ending_ || record->source != nullptr || record->info.state == DocumentState::kFailed; });
  if (record->source != nullptr) return record->source;
  if (stop.stop_requested() || ending_) return cancelled("the request was stopped");
  return refused(record->info.error);
}

Status DocumentStore::watch(const std::string& id, Watcher watcher, std::stop_token stop) {
  const std::lock_guard lock(mutex_);
  const RecordPtr record = find(id);
  if (record == nullptr) return not_found(fmt::format("there is no document '{}'", id));
  watcher(record->info);
  if (!record->info.finished()) record->watchers.emplace_back(std::move(watcher), std::move(stop));
  return {};
}

// With the lock, so that changes arrive in order; watchers only hand them on.
void DocumentStore::tell(const RecordPtr& record, std::unique_lock<std::mutex>&) {
  std::erase_if(record->watchers, [](const auto& watcher) { return watcher.second.stop_requested(); });
  for (const auto& [watcher, stop] : record->watchers) watcher(record->info);
  if (record->info.finished()) record->watchers.clear();
  changed_.notify_all();
}

void DocumentStore::run() {
  for (;;) {
    RecordPtr record;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return ending_ || !to_extract_.empty() || !to_save_.empty(); });
      if (ending_ && to_save_.empty()) return;
      if (!to_save_.empty()) {
        saving_ = std::move(to_save_.front());
        to_save_.pop_front();
        save(lock);
        continue;
      }
      record = std::move(to_extract_.front());
      to_extract_.pop_front();
      if (record->stop.stop_requested()) continue;
      opening_ = record;
      if (record->info.state != DocumentState::kReady) {
        record->info.state = DocumentState::kExtracting;
        tell(record, lock);
      }
    }
    extract(record);
    const std::lock_guard lock(mutex_);
    opening_ = nullptr;
  }
}

// What came of reading saving_, for the next start.
void DocumentStore::save(std::unique_lock<std::mutex>& lock) {
  const RecordPtr record = saving_;
  if (find(record->info.id) == record && record->known) {  // it was not deleted
    const DocumentInfo& info = record->info;
    const SavedReading reading{replicas_.disk_identity(), *record->known, info.tokens_read, info.image_tokens, info.dpi, info.warnings};
    lock.unlock();
    if (const Status status = save_reading(record->dir, reading); !status.ok()) log_warning("{}: {}", record->info.id, status.message());
    lock.lock();
  }
  saving_ = nullptr;
  changed_.notify_all();
}

void DocumentStore::extract(const RecordPtr& record) {
  IngestOptions ingest = options_.ingest;
  ingest.stop = record->stop.get_token();
  Result<Document> document = read_document(record->content(), ingest);
  if (!document.ok()) return fail(record, with_name(document.status(), record->content(), record->info.name));
  document->name = record->info.name;
  Result<PageStyle> style = style_with(*document, replicas_.model().config(), record->style);
  if (!style.ok()) return fail(record, style.status());
  {
    std::unique_lock lock(mutex_);
    if (record->stop.stop_requested()) return;  // deleted meanwhile: nobody may get to read it
    record->source = std::make_shared<Source>(std::make_shared<const Document>(*std::move(document)), *style, record->known, record->info.id);
    record->info.dpi = style->dpi;
    if (record->info.state == DocumentState::kReady) return changed_.notify_all();  // read in an earlier life
    record->info.state = options_.read_ahead ? DocumentState::kDrawing : DocumentState::kReady;
    tell(record, lock);
    if (!options_.read_ahead) {
      record->known = std::make_shared<const Source::Known>();
      to_save_.push_back(record);
      return;
    }
  }
  read_ahead(record);
}

void DocumentStore::read_ahead(const RecordPtr& record) {
  JobRequest request;
  request.kind = JobRequest::Kind::kRead;
  request.turns.push_back({Role::kUser, {record->source}, {}});
  JobListener listener;
  listener.on_progress = [this, record](const AskProgress& news) { progress(record, news); };
  listener.on_end = [this, record](const Result<JobResult>& result) { finish(record, result); };
  {
    const std::lock_guard lock(mutex_);
    record->stage_watch = Stopwatch();
    ++num_reading_;
  }
  if (const Status status = replicas_.submit(std::move(request), std::move(listener), record->stop.get_token()); !status.ok()) {
    finish(record, status);
  }
}

void DocumentStore::progress(const RecordPtr& record, const AskProgress& news) {
  std::unique_lock lock(mutex_);
  DocumentInfo& info = record->info;
  if (info.finished()) return;
  const auto left = [&](double done, double all) { return done > 0 ? std::optional(record->stage_watch.ms() * (all - done) / done) : std::nullopt; };
  if (news.stage == AskStage::kPrefill) {
    if (info.state != DocumentState::kReading) record->stage_watch = Stopwatch();
    info.state = DocumentState::kReading;
    info.pages_done = news.pages_encoded;
    info.left_ms = left(static_cast<double>(news.tokens_read), static_cast<double>(news.tokens_to_read));
  } else {
    info.state = news.pages_encoded == 0 ? DocumentState::kDrawing : DocumentState::kEncoding;
    info.pages_done = news.pages_encoded;
    info.left_ms = left(static_cast<double>(news.pages_encoded), static_cast<double>(news.pages_drawn));
  }
  info.pages = std::max(news.pages_drawn, news.pages_encoded);
  info.tokens_read = news.tokens_read;
  info.tokens_to_read = news.tokens_to_read;
  tell(record, lock);
}

void DocumentStore::fail(const RecordPtr& record, const Status& status) {
  std::unique_lock lock(mutex_);
  const bool opened_late = record->info.state == DocumentState::kReady && record->source == nullptr;
  if (record->info.finished() && !opened_late) return;
  record->info.state = DocumentState::kFailed;
  record->info.error = status.message();
  record->info.left_ms.reset();
  tell(record, lock);
}

void DocumentStore::finish(const RecordPtr& record, const Result<JobResult>& result) {
  if (!result.ok()) fail(record, result.status());
  std::unique_lock lock(mutex_);
  --num_reading_;
  if (result.ok() && !record->info.finished()) {
    DocumentInfo& info = record->info;
    info.state = DocumentState::kReady;
    info.pages = info.pages_done = result->pages;
    info.tokens_read = info.tokens_to_read = result->usage.prompt_tokens;
    info.text_tokens = result->text_tokens;
    info.image_tokens = result->usage.image_tokens;
    info.warnings = result->warnings;
    info.left_ms.reset();
    record->known = record->source->known();
    to_save_.push_back(record);
  }
  tell(record, lock);
}

}  // namespace glyph
