// DiskTier: a DiskStore whose writes happen on a thread of their own, so that nobody waits for the disk but who reads from it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cache/disk_store.h"
#include "glyph/status.h"

namespace glyph {

// Any thread, and so several caches at once. What is asked for happens in the order of the calls.
class DiskTier {
 public:
  // As DiskStore::open().
  static Result<std::unique_ptr<DiskTier>> open(const DiskStoreOptions& options);
  // Writes what waits, then ends the thread.
  ~DiskTier();
  DiskTier(const DiskTier&) = delete;
  DiskTier& operator=(const DiskTier&) = delete;

  bool contains(const EntryId& id) const { return store_->contains(id); }
  std::optional<EntryBuffer> load(const EntryId& id) { return store_->load(id); }
  const Digest& identity() const { return store_->identity(); }
  DiskStoreStats stats() const { return store_->stats(); }
  void discard(const EntryId& id, const std::string& reason) { store_->discard(id, reason); }
  size_t num_waiting() const;  // writes

  // Whether put() may be called: what waits is bounded, one entry of any size (of each cache) is always let in.
  bool has_room() const;
  void put(EntryBuffer entry, std::string owner);
  void set_owner(std::string owner, std::vector<Digest> pages);
  void remove_owner(std::string owner);
  void retain_owners(std::vector<std::string> owners);
  void touch(std::string owner);

  // The bookkeeping as it is.
  Status check_integrity() const { return store_->check_integrity(); }
  // Waits until all is written, then compares the bookkeeping with the files.
  Status check_files();

 private:
  explicit DiskTier(std::unique_ptr<DiskStore> store);
  void post(std::function<void()> work, uint64_t bytes = 0);
  void run();

  struct Work {
    std::function<void()> run;
    uint64_t bytes = 0;
  };

  const std::unique_ptr<DiskStore> store_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;      // guarded by mutex_
  uint64_t waiting_bytes_ = 0;  // guarded by mutex_
  size_t num_waiting_ = 0;      // guarded by mutex_: entries
  bool ending_ = false;         // guarded by mutex_
  std::thread thread_;
};
using DiskTierPtr = std::shared_ptr<DiskTier>;

}  // namespace glyph
