#include "server/file_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>
#include <cerrno>
#include <chrono>
#include <optional>
#include <random>
#include <utility>

#include "base/log.h"
#include "base/text_file.h"

namespace glyph {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

constexpr size_t kMaxMetaBytes = size_t{64} << 10;

Status no_such(const std::string& id) { return not_found(fmt::format("there is no file '{}'", id)); }

std::string meta_of(const StoredFile& file) {
  return json::serialize(json::object{{"name", file.name}, {"purpose", file.purpose}, {"created_at", file.created_at},
                                      {"document", file.document_id}, {"made_document", file.made_document}});
}

// Nothing when the folder is what a crash left behind.
std::optional<StoredFile> read_stored(const fs::path& dir) {
  const auto text = read_file(dir / "meta.json", kMaxMetaBytes);
  if (!text.ok()) return std::nullopt;
  StoredFile file;
  file.id = dir.filename().string();
  std::error_code missing;
  file.bytes = fs::file_size(dir / "content", missing);
  if (missing) return std::nullopt;
  try {
    const json::object meta = json::parse(*text).as_object();
    file.name = json::value_to<std::string>(meta.at("name"));
    file.purpose = json::value_to<std::string>(meta.at("purpose"));
    file.created_at = meta.at("created_at").to_number<int64_t>();
    file.document_id = json::value_to<std::string>(meta.at("document"));
    file.made_document = meta.at("made_document").as_bool();
  } catch (const std::exception&) {
    return std::nullopt;
  }
  return file;
}

}  // namespace

std::string random_id(std::string_view prefix) {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  return fmt::format("{}{:016x}{:08x}", prefix, random(), static_cast<uint32_t>(random()));
}

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Result<std::unique_ptr<FileStore>> FileStore::open(const fs::path& dir) {
  std::error_code error;
  fs::create_directories(dir, error);
  if (error) return internal_error(fmt::format("{}: {}", dir.string(), error.message()));
  std::unique_ptr<FileStore> store(new FileStore(dir));
  GLYPH_RETURN_IF_ERROR(store->load_saved());
  return store;
}

Status FileStore::load_saved() {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir_, error)) {
    if (!entry.path().filename().string().starts_with("file-")) continue;
    std::error_code ignored;
    if (auto file = read_stored(entry.path())) files_.emplace(file->id, *std::move(file));
    else fs::remove_all(entry.path(), ignored);
  }
  return error ? internal_error(fmt::format("{}: {}", dir_.string(), error.message())) : Status();
}

Result<StoredFile> FileStore::add(StoredFile file, std::string_view bytes) {
  if (file.id.empty()) file.id = random_id("file-");
  file.bytes = bytes.size();
  file.created_at = unix_seconds();
  {
    const std::lock_guard lock(mutex_);
    if (files_.size() >= kMaxStoredFiles) return exhausted(fmt::format("there are {} files already; delete some", kMaxStoredFiles));
  }
  std::error_code error;
  fs::create_directories(dir_ / file.id, error);
  if (error) return not_stored("the file", error);
  Status status = write_file_atomically(content(file.id), bytes);
  if (status.ok()) status = write_file_atomically(dir_ / file.id / "meta.json", meta_of(file));
  if (!status.ok()) {
    fs::remove_all(dir_ / file.id, error);
    return not_stored("the file", status);
  }
  const std::lock_guard lock(mutex_);
  files_[file.id] = file;
  return file;
}

std::vector<StoredFile> FileStore::list() const {
  std::vector<StoredFile> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, file] : files_) all.push_back(file);
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.created_at > b.created_at; });
  return all;
}

Result<StoredFile> FileStore::get(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto it = files_.find(id);
  if (it == files_.end()) return no_such(id);
  return it->second;
}

Status FileStore::remove(const std::string& id) {
  {
    const std::lock_guard lock(mutex_);
    if (files_.erase(id) == 0) return no_such(id);
  }
  std::error_code error;
  fs::remove_all(dir_ / id, error);
  return error ? internal_error(fmt::format("the file cannot be deleted: {}", error.message())) : Status();
}

bool FileStore::uses_document(const std::string& document_id) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(files_.begin(), files_.end(), [&](const auto& entry) { return entry.second.document_id == document_id; });
}

bool FileStore::made_document(const std::string& document_id) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(files_.begin(), files_.end(), [&](const auto& entry) { return entry.second.made_document && entry.second.document_id == document_id; });
}

Status not_stored(std::string_view what, const Status& status) {
  log_warning("{} cannot be stored: {}", what, status.message());
  if (status.code() == StatusCode::kExhausted) return exhausted(fmt::format("{} cannot be stored: there is no room on the disk now", what));
  return internal_error(fmt::format("{} cannot be stored", what));
}

Status not_stored(std::string_view what, const std::error_code& error) {
  const bool full = error == std::errc::no_space_on_device || error.value() == EDQUOT;
  return not_stored(what, full ? exhausted(error.message()) : internal_error(error.message()));
}

}  // namespace glyph
