// FileStore: files that were uploaded or written here (/v1/files), on disk. Knows no HTTP and nothing of what is in them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"

namespace glyph {

constexpr size_t kMaxStoredFiles = 10'000;

struct StoredFile {
  std::string id;            // "file-" and 24 digits
  std::string name;
  std::string purpose;       // "user_data", "assistants", "vision", "batch", "batch_output"
  uint64_t bytes = 0;
  int64_t created_at = 0;    // Unix seconds
  std::string document_id;   // what its content is as a document; "" when it is none
  bool made_document = false;  // the document was not there before
};

// Any thread.
class FileStore {
 public:
  // Takes up what the folder holds; it is created. kInternal: it cannot be used.
  static Result<std::unique_ptr<FileStore>> open(const std::filesystem::path& dir);

  // Stores the bytes under a new id, or under `file.id` if it has one; one that is there already is replaced. kExhausted: too many files.
  Result<StoredFile> add(StoredFile file, std::string_view bytes);
  std::vector<StoredFile> list() const;  // newest first
  Result<StoredFile> get(const std::string& id) const;
  std::filesystem::path content(const std::string& id) const { return dir_ / id / "content"; }
  Status remove(const std::string& id);
  bool uses_document(const std::string& document_id) const;
  bool made_document(const std::string& document_id) const;  // a file that is still here did

 private:
  explicit FileStore(std::filesystem::path dir) : dir_(std::move(dir)) {}
  Status load_saved();

  const std::filesystem::path dir_;
  mutable std::mutex mutex_;
  std::map<std::string, StoredFile> files_;  // guarded by mutex_
};

// "prefix" and 24 random hexadecimal digits.
std::string random_id(std::string_view prefix);
int64_t unix_seconds();
// What a client is told of a write that failed: nothing of where. `what`: "the file".
Status not_stored(std::string_view what, const Status& status);
// The same for a folder that could not be made.
Status not_stored(std::string_view what, const std::error_code& error);

}  // namespace glyph
