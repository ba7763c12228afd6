// Caches: what was computed once, in memory and below it on disk. README.md beside this file tells how the tiers play together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/hash.h"
#include "cache/disk_tier.h"
#include "cache/feature_cache.h"
#include "cache/page_owners.h"
#include "cache/prefix_tree.h"
#include "glyph/status.h"
#include "language/kv_cache.h"

namespace glyph {

// Counts pages.
struct CacheCounts {
  uint64_t hits = 0;
  uint64_t misses = 0;
};

struct CacheStats {
  CacheCounts memory_features, memory_kv, disk_features, disk_kv;
  size_t memory_feature_bytes = 0, memory_kv_bytes = 0;
  DiskStoreStats disk;
  size_t num_waiting = 0;  // entries for the disk that are in memory only
  size_t num_writing = 0;  // entries handed to the disk tier
};

// One thread, but for what says otherwise.
class Caches {
 public:
  // In memory only. A budget of 0 keeps nothing.
  Caches(const KvLayout& layout, size_t feature_bytes, size_t prefix_bytes);
  // With a disk below, which others may use, too; blocks read from it come from `pool`, which must outlive this.
  Caches(KvBlockPool& pool, size_t feature_bytes, size_t prefix_bytes, DiskTierPtr disk);

  // In all calls `owner` names the stored document that a page belongs to. What has none is kept in memory only.

  // nullptr when no tier has it.
  FeaturesPtr find_features(const Digest& page);
  void insert_features(const Digest& page, FeaturesPtr features, const std::string& owner);

  // The longest beginning of `pages` after `head` that is in memory.
  PrefixTree::Match find_prefix(const Digest& head, std::span<const Digest> pages);
  // `match` covers all of `pages` but the last; true when a tier has the last one, too, and `match` covers it now.
  bool extend_prefix(const Digest& head, std::span<const Digest> pages, PrefixTree::Match& match);
  // As PrefixTree::insert().
  void insert_prefix(const Digest& head, std::span<const Digest> pages, const KvCache& cache, const std::string& owner);

  // Any thread: whether memory has the features of a page; the KV that ends with a page under its prefix_key().
  bool holds_features(const Digest& page) const { return features_.contains(page); }
  bool holds_kv(const Digest& prefix) const { return prefixes_.contains(prefix); }
  // Any thread: whether the disk has the KV of all these pages after `head`.
  bool is_on_disk(const Digest& head, std::span<const Digest> pages) const;
  // Of what the disk may hold; nullptr without a disk.
  const Digest* disk_identity() const { return disk_ == nullptr ? nullptr : &disk_->identity(); }

  // Sees to it that what memory has of a page gets to the disk, too: features, and the KV that ends with it under `prefix`, its
  // prefix_key().
  void keep_stored(const Digest& page, const Digest& prefix, const std::string& owner);

  // A document: it has this page; these are all its pages; it was used; it is gone, and with it what only it had; only these are left (any thread).
  void add_page(const std::string& owner, const Digest& page);
  void set_owner(const std::string& owner, const std::vector<Digest>& pages);
  void touch(const std::string& owner);
  void forget(const std::string& owner);
  void retain_owners(std::vector<std::string> owners);

  // Forgets what is in memory, with what waits for the disk: the device that holds it goes. Then, nothing else is called before
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
  // The bookkeeping of both tiers.
  Status check_integrity() const;
  // Any thread: waits until the disk has all it was given, then compares bookkeeping and files; for tests.
  Status check_files();

 private:
  struct Waiting {
    EntryId id;
    std::string owner;
  };
  void forget_pages(const std::vector<Digest>& pages);
  void keep_on_disk(const EntryId& id, const std::string& owner);
  std::optional<EntryBuffer> features_entry(const Digest& page) const;
  std::optional<EntryBuffer> kv_entry(const Digest& key) const;
  bool was_downloaded() const;
  FeaturesPtr load_features(const Digest& page);
  bool load_prefix(const Digest& head, std::span<const Digest> pages, PrefixTree::Match& match);

  KvBlockPool* pool_ = nullptr;  // nullptr: no disk
  const KvLayout layout_;
  FeatureCache features_;
  PrefixTree prefixes_;
  const DiskTierPtr disk_;
  PageOwners owners_;            // as far as documents were read by this process
  std::deque<Waiting> waiting_;  // for the disk
  CacheStats counts_;            // only the counts
};

}  // namespace glyph
