// Caches: what was computed once, in memory of the device, below it in RAM, and below that on disk. README.md beside this file tells how
// the tiers play together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "cache/disk_tier.h"
#include "cache/feature_cache.h"
#include "cache/page_owners.h"
#include "cache/prefix_tree.h"
#include "cache/ram_tier.h"
#include "glyph/status.h"
#include "language/kv_cache.h"

namespace glyph {

// Counts pages.
struct CacheCounts {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t evictions = 0;  // for want of room; not counted on disk
};

// Memory is the device's; RAM lies below it.
struct CacheStats {
  CacheCounts memory_features, memory_kv, ram_features, ram_kv, disk_features, disk_kv;
  size_t memory_feature_bytes = 0, memory_kv_bytes = 0, ram_feature_bytes = 0, ram_kv_bytes = 0;
  DiskStoreStats disk;
  size_t num_waiting = 0;  // entries for the disk that are not there yet
  size_t num_writing = 0;  // entries handed to the disk tier
};

// Bytes; 0 keeps nothing.
struct CacheBudgets {
  size_t features = 0, kv = 0;  // in memory of the device
  size_t ram = 0;               // of both, in RAM that the device copies to and from
};

// One thread, but for what says otherwise.
class Caches {
 public:
  // Nothing is kept.
  explicit Caches(const KvLayout& layout);
  // `disk`, which others may use, too, may be nullptr. Blocks that come back from below are of `pool`, which must outlive this.
  Caches(KvBlockPool& pool, const CacheBudgets& budgets, DiskTierPtr disk);

  // In all calls `owner` names the stored document that a page belongs to. What has none is never on disk.

  // nullptr when no tier has it.
  FeaturesPtr find_features(const Digest& page);
  void insert_features(const Digest& page, FeaturesPtr features, const std::string& owner);

  // The longest beginning of `pages` after `head` that is in memory of the device.
  PrefixTree::Match find_prefix(const Digest& head, std::span<const Digest> pages);
  // `match` covers all of `pages` but the last; true when a tier has the last one, too, and `match` covers it now.
  bool extend_prefix(const Digest& head, std::span<const Digest> pages, PrefixTree::Match& match);
  // Keeps what `cache` holds, which must end right after the last of `pages`. Where the pages before are not known, nothing happens.
  void insert_prefix(const Digest& head, std::span<const Digest> pages, const KvCache& cache, const std::string& owner);

  // Any thread: whether memory or RAM has the features of a page; the KV that ends with a page under its prefix_key().
  bool holds_features(const Digest& page) const { return features_.contains(page) || ram_holds({EntryKind::kFeatures, page}); }
  bool holds_kv(const Digest& prefix) const { return prefixes_.contains(prefix) || ram_holds({EntryKind::kKv, prefix}); }
  // Any thread: whether the disk has the KV of all these pages after `head`.
  bool is_on_disk(const Digest& head, std::span<const Digest> pages) const;
  // Of what the disk may hold; nullptr without a disk.
  const Digest* disk_identity() const { return disk_ == nullptr ? nullptr : &disk_->identity(); }

  // Sees to it that what memory or RAM has of a page gets to the disk, too: features, and the KV that ends with it under `prefix`, its
  // prefix_key().
  void keep_stored(const Digest& page, const Digest& prefix, const std::string& owner);

  // A document: it has this page; these are all its pages; it was used; it is gone, and with it what only it had; only these are left (any thread).
  void add_page(const std::string& owner, const Digest& page);
  void set_owner(const std::string& owner, const std::vector<Digest>& pages);
  void touch(const std::string& owner);
  void forget(const std::string& owner);
  void retain_owners(std::vector<std::string> owners);

  // Forgets what is in memory and RAM, with what waits for the disk: the device that holds it goes. Then, nothing else is called before
  // use() names a pool of the next device, of the same layout. What is on disk, or handed to its tier, stays.
  void drop_memory();
  void use(KvBlockPool& pool);

  // Hands one entry that waits for it to the disk tier; false when none waits or there is no room now.
  bool write_one();
  size_t num_waiting() const { return waiting_.size(); }
  // Hands over all that waits, for at most `seconds`; for the end of the process.
  void write_all(double seconds);

  CacheStats stats() const;
  // Any thread: stats() that were made a while ago, with what the disk tier has done since.
  CacheStats with_disk(CacheStats stats) const;
  // The bookkeeping of all tiers.
  Status check_integrity() const;
  // Any thread: waits until the disk has all it was given, then compares bookkeeping and files; for tests.
  Status check_files();

 private:
  struct Waiting {
    EntryId id;
    std::string owner;
  };
  // An entry that a tier below the device's memory has: one of the two.
  struct Found {
    RamTier::EntryPtr ram;
    std::optional<EntryBuffer> file;
    const EntryHeader& header() const { return ram != nullptr ? ram->header : file->header(); }
  };
  bool ram_holds(const EntryId& id) const;
  void replace_ram(std::unique_ptr<RamTier> ram);
  void forget_pages(const std::vector<Digest>& pages);
  void spill(const EntryHeader& header, const RamTier::Place& from);
  RamTier::OnDevice on_device() const;
  bool is_in_memory(const EntryId& id) const;
  void keep_on_disk(const EntryId& id, const std::string& owner);
  std::optional<EntryBuffer> entry_in_memory(const EntryId& id) const;
  bool was_downloaded() const;
  std::optional<Found> find_below(const EntryId& id);
  bool bring_back(const Found& found, const RamTier::Place& to);
  FeaturesPtr load_features(const Digest& page);
  bool load_prefix(const Digest& head, std::span<const Digest> pages, PrefixTree::Match& match);
  void keep_behind_ram(const PrefixTree::Part& part);

  KvBlockPool* pool_ = nullptr;  // nullptr: nothing is kept
  const KvLayout layout_;
  const size_t ram_bytes_ = 0;
  FeatureCache features_;
  PrefixTree prefixes_;
  mutable std::mutex ram_mutex_;
  std::unique_ptr<RamTier> ram_;  // nullptr: none; changed with ram_mutex_ held, and other threads look with it
  const DiskTierPtr disk_;
  PageOwners owners_;            // as far as documents were read by this process
  std::deque<Waiting> waiting_;  // for the disk
  CacheStats counts_;            // only the counts
};

}  // namespace glyph
