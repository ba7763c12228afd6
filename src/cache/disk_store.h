// DiskStore: the files of the disk tier. The folder is the truth; the index beside it in memory is made from it at the start.
//
//   kv/<key>  features/<key>   entries (entry_header.h), named by their key
//   pages/<document>           the pages of a document (page_list.h); its time of change is when the document was last used
//   lock                       held by the one process that uses the folder
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cache/disk_index.h"
#include "cache/entry_file.h"
#include "glyph/status.h"

namespace glyph {

struct DiskStoreOptions {
  std::filesystem::path dir;  // created
  uint64_t max_bytes = 0;     // of all entries
  Digest identity{};          // entries with another one are useless here, and deleted
};

struct DiskStoreStats {
  uint64_t feature_bytes = 0, kv_bytes = 0;
  size_t num_entries = 0;
  uint64_t num_damaged = 0;  // entries found damaged, foreign or out of place, and deleted
  uint64_t num_dropped = 0;  // writes that failed or found no room
};

// contains(), load(), discard(), stats() and check_integrity(): any thread. All others write and are for one thread.
class DiskStore {
 public:
  // Takes up what the folder holds, deletes what is of no use, and logs how much of it. kInternal: the folder cannot be used;
  // kExhausted: another process uses it.
  static Result<std::unique_ptr<DiskStore>> open(const DiskStoreOptions& options);
  ~DiskStore();
  DiskStore(const DiskStore&) = delete;
  DiskStore& operator=(const DiskStore&) = delete;

  const Digest& identity() const { return options_.identity; }
  bool contains(const EntryId& id) const;
  // Nothing when it is not there. A damaged, foreign or misplaced entry is logged, deleted, and not there.
  std::optional<EntryBuffer> load(const EntryId& id);
  // Logs, and deletes the entry with what builds on it.
  void discard(const EntryId& id, const std::string& reason);
  DiskStoreStats stats() const;
  // kInternal with a sentence when the bookkeeping is wrong.
  Status check_integrity() const;

  // Writes one entry for a document, which has its page from now on; least recently used documents make room. A write that fails
  // is dropped: one warning in ten minutes, however many.
  void put(EntryBuffer entry, const std::string& owner);
  // These are all pages of the document; what nobody has any more is deleted.
  void set_owner(const std::string& owner, const std::vector<Digest>& pages);
  void remove_owner(const std::string& owner);
  void retain_owners(const std::vector<std::string>& owners);  // removes all others
  void touch(const std::string& owner);
  // check_integrity(), and every file is there with its size and no other.
  Status check_files() const;

 private:
  explicit DiskStore(const DiskStoreOptions& options) : options_(options), index_(options.max_bytes) {}
  Status lock_dir();
  void load_owners();
  void load_entries();
  std::vector<std::pair<EntryId, EntryHeader>> read_headers(EntryKind kind);
  std::filesystem::path path_of(const EntryId& id) const;
  std::filesystem::path list_of(const std::string& owner) const;
  void delete_files(const std::vector<EntryId>& ids) const;
  bool save_pages(const std::string& owner);
  void drop_write(const std::string& reason);

  const DiskStoreOptions options_;
  int lock_fd_ = -1;
  int64_t last_warning_ms_ = 0;  // of drop_write()
  mutable std::mutex mutex_;
  DiskIndex index_;                    // guarded by mutex_
  uint64_t num_damaged_ = 0;           // guarded by mutex_
  uint64_t num_dropped_ = 0;           // guarded by mutex_
};

}  // namespace glyph
