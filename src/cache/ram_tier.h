// RamTier: entries that the memory of a device had no room for, in host memory that the device copies to and from by itself. README.md
// beside this file tells how.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <vector>

#include "cache/entry_header.h"
#include "glyph/status.h"
#include "language/kv_cache.h"

namespace glyph {

// One thread, but for what says otherwise; it queues the work of the devices: copies are only queued, too. What they read and write is used again only by copies
// of the same devices, which come behind them.
class RamTier {
 public:
  struct Entry {
    EntryHeader header;  // without identity
    std::vector<KvBlockPool::BlockPtr> blocks;  // in host memory; features fill the first device's parts of as many as they need
  };
  using EntryPtr = std::shared_ptr<const Entry>;
  // Where an entry is on the device, or is to be: KV in blocks, features in one piece.
  struct Place {
    std::span<const KvBlockPool::BlockPtr> blocks = {};
    void* features = nullptr;
  };
  // Whether the memory of the device has the KV of this key.
  using OnDevice = std::function<bool(const Digest& key)>;

  // Hears of what made room for others.
  using OnEvict = std::function<void(EntryKind kind)>;

  // For what lies on the devices of `pool`, which must outlive this. Memory is taken when it is needed, and kept.
  RamTier(const KvBlockPool& pool, size_t max_bytes, OnEvict on_evict = {});
  // Waits for the copies.
  ~RamTier();
  RamTier(const RamTier&) = delete;
  RamTier& operator=(const RamTier&) = delete;

  // Takes a copy, unless it is there; what was not used for longest makes room. Either way it counts as used now, and so do the pages before
  // it. False: it is not there.
  bool put(const EntryHeader& header, const Place& from);
  // Any thread.
  bool contains(const EntryId& id) const;
  // nullptr when it is not there; what is found counts as used now, and so do the pages before it. It stays as long as somebody has it.
  EntryPtr find(const EntryId& id);
  // The same without counting as use.
  EntryPtr peek(const EntryId& id) const;
  // False: the device failed.
  bool copy_to(const Entry& entry, const Place& to) const;
  // To memory that anybody may read: header.payload_bytes, as the disk has them. Waits for the devices; what they could not copy is anything.
  void read(const Entry& entry, std::span<uint8_t> bytes) const;

  // Forgets these pages, and KV of which the prompt before it is neither here nor on the device.
  void forget(const std::set<Digest>& pages, const OnDevice& on_device);

  size_t num_bytes(EntryKind kind) const;
  // kInternal with a sentence when the bookkeeping is wrong.
  Status check_integrity(const OnDevice& on_device) const;

 private:
  struct Slot {
    EntryPtr entry;
    std::list<EntryId>::iterator recency;
  };
  struct Piece {
    Device& device;  // that copies it
    void *host, *there;
    size_t num_bytes;
  };
  std::vector<Piece> pieces(const Entry& entry, const Place& place) const;
  std::vector<KvBlockPool::BlockPtr> take(size_t count);
  void touch(EntryId id);
  void erase(const EntryId& id);
  void drop_oldest();
  void wait_for_copies() const;
  size_t blocks_for(const EntryHeader& header) const;
  bool is_orphan(const EntryHeader& header, const OnDevice& on_device) const;

  const KvBlockPool& pool_;
  const OnEvict on_evict_;
  const std::unique_ptr<Device> host_;
  KvBlockPool memory_;  // of host_
  size_t max_blocks_;
  size_t num_blocks_ = 0, num_kv_blocks_ = 0;  // of the entries
  std::list<EntryId> recency_;  // most recent first
  mutable std::mutex keys_mutex_;
  std::map<EntryId, Slot> entries_;  // changed with keys_mutex_ held, and other threads look with it
};

}  // namespace glyph
