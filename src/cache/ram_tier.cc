#include "cache/ram_tier.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "cache/kv_bytes.h"

namespace glyph {
namespace {

std::vector<Device*> for_every_rank(Device& host, const KvBlockPool& pool) {
  return std::vector<Device*>(static_cast<size_t>(pool.num_ranks()), &host);
}

EntryId id_of(const EntryHeader& header) { return {header.kind, header.key}; }

}  // namespace

RamTier::RamTier(const KvBlockPool& pool, size_t max_bytes, OnEvict on_evict)
    : pool_(pool),
      on_evict_(std::move(on_evict)),
      host_(pool.device().pinned_host()),
      memory_(for_every_rank(*host_, pool), pool.layout(), static_cast<int64_t>(max_bytes / pool.layout().all_block_bytes())),
      max_blocks_(max_bytes / pool.layout().all_block_bytes()) {
  GLYPH_CHECK(max_blocks_ > 0);
}

RamTier::~RamTier() { wait_for_copies(); }

void RamTier::wait_for_copies() const {
  for (int rank = 0; rank < pool_.num_ranks(); ++rank) pool_.device(rank).mark()->wait();
}

// The memory of a block is reused in the order of one device's work, so each of its parts is only for the device of its rank: features
// leave the others empty.
size_t RamTier::blocks_for(const EntryHeader& header) const {
  const size_t bytes = header.kind == EntryKind::kKv ? pool_.layout().all_block_bytes() : pool_.layout().block_bytes();
  return (header.payload_bytes + bytes - 1) / bytes;
}

std::vector<RamTier::Piece> RamTier::pieces(const Entry& entry, const Place& place) const {
  std::vector<Piece> pieces;
  const size_t size = pool_.layout().block_bytes();
  GLYPH_CHECK(entry.header.kind == EntryKind::kFeatures || place.blocks.size() == entry.blocks.size());
  for (size_t i = 0; i < entry.blocks.size(); ++i) {
    if (entry.header.kind == EntryKind::kFeatures) {
      void* there = static_cast<std::byte*>(place.features) + i * size;
      pieces.push_back({pool_.device(), entry.blocks[i]->of(0).get(), there, std::min(size, entry.header.payload_bytes - i * size)});
      continue;
    }
    for (int rank = 0; rank < pool_.num_ranks(); ++rank) {
      pieces.push_back({pool_.device(rank), entry.blocks[i]->of(rank).get(), place.blocks[i]->of(rank).get(), size});
    }
  }
  return pieces;
}

bool RamTier::contains(const EntryId& id) const {
  const std::lock_guard lock(keys_mutex_);
  return entries_.contains(id);
}

bool RamTier::put(const EntryHeader& header, const Place& from) {
  const EntryId id = id_of(header), before{EntryKind::kKv, header.parent};
  touch(contains(id) ? id : before);
  if (contains(id)) return true;
  const bool behind_another = contains(before);
  auto entry = std::make_shared<Entry>(Entry{header, take(blocks_for(header))});
  // Room that the page before it made is of no use.
  if (entry->blocks.empty() || contains(before) != behind_another) return false;
  for (const Piece& piece : pieces(*entry, from)) {
    if (!piece.device.queue_download(piece.host, piece.there, piece.num_bytes)) return false;
  }
  num_blocks_ += entry->blocks.size();
  if (id.kind == EntryKind::kKv) num_kv_blocks_ += entry->blocks.size();
  recency_.push_front(id);
  {
    const std::lock_guard lock(keys_mutex_);
    entries_.emplace(id, Slot{std::move(entry), recency_.begin()});
  }
  touch(id);
  return true;
}

// None, where there is no room for all.
std::vector<KvBlockPool::BlockPtr> RamTier::take(size_t count) {
  if (count > max_blocks_) return {};
  while (num_blocks_ + count > max_blocks_) drop_oldest();
  Result<std::vector<KvBlockPool::BlockPtr>> blocks = allocate_blocks(memory_, count);
  if (!blocks.ok()) return {};  // somebody still has what was dropped
  const auto is_missing = [](const KvBlockPool::BlockPtr& block) { return block->of(0).get() == nullptr; };
  const auto missing = static_cast<size_t>(std::count_if(blocks->begin(), blocks->end(), is_missing));
  if (missing == 0) return *std::move(blocks);
  max_blocks_ = num_blocks_ + count - missing;  // asking again would take long each time
  log_warning("the system pins no more memory: pages that the device drops are kept in {} MiB of RAM",
              (max_blocks_ * pool_.layout().all_block_bytes()) >> 20);
  return {};
}

RamTier::EntryPtr RamTier::find(const EntryId& id) {
  touch(id);
  return peek(id);
}

RamTier::EntryPtr RamTier::peek(const EntryId& id) const {
  const auto it = entries_.find(id);
  return it == entries_.end() ? nullptr : it->second.entry;
}

bool RamTier::copy_to(const Entry& entry, const Place& to) const {
  for (const Piece& piece : pieces(entry, to)) {
    if (!piece.device.queue_upload(piece.there, piece.host, piece.num_bytes)) return false;
  }
  return true;
}

void RamTier::read(const Entry& entry, std::span<uint8_t> bytes) const {
  wait_for_copies();
  for (const Piece& piece : pieces(entry, {.blocks = entry.blocks, .features = bytes.data()})) {
    std::memcpy(bytes.data(), piece.host, piece.num_bytes);
    bytes = bytes.subspan(piece.num_bytes);
  }
}

// Children before parents, so that a parent is the more recent one.
void RamTier::touch(EntryId id) {
  for (auto it = entries_.find(id); it != entries_.end(); it = entries_.find(id)) {
    recency_.splice(recency_.begin(), recency_, it->second.recency);
    if (id.kind != EntryKind::kKv) return;
    id.key = it->second.entry->header.parent;
  }
}

void RamTier::erase(const EntryId& id) {
  const auto it = entries_.find(id);
  num_blocks_ -= it->second.entry->blocks.size();
  if (id.kind == EntryKind::kKv) num_kv_blocks_ -= it->second.entry->blocks.size();
  recency_.erase(it->second.recency);
  const std::lock_guard lock(keys_mutex_);
  entries_.erase(it);
}

void RamTier::drop_oldest() {
  const EntryId id = recency_.back();
  erase(id);
  if (on_evict_) on_evict_(id.kind);
}

bool RamTier::is_orphan(const EntryHeader& header, const OnDevice& on_device) const {
  if (header.kind != EntryKind::kKv || header.kv.begin_tokens == 0) return false;
  return !contains({EntryKind::kKv, header.parent}) && !on_device(header.parent);
}

// Parents come before children.
void RamTier::forget(const std::set<Digest>& pages, const OnDevice& on_device) {
  for (auto it = recency_.begin(); it != recency_.end();) {
    const EntryId id = *it++;
    const EntryHeader& header = entries_.at(id).entry->header;
    if (pages.contains(header.page) || is_orphan(header, on_device)) erase(id);
  }
}

size_t RamTier::num_bytes(EntryKind kind) const {
  return (kind == EntryKind::kKv ? num_kv_blocks_ : num_blocks_ - num_kv_blocks_) * pool_.layout().all_block_bytes();
}

Status RamTier::check_integrity(const OnDevice& on_device) const {
  size_t blocks = 0, kv_blocks = 0;
  std::set<EntryId> older;  // than the entries that are still to come
  for (auto id = recency_.rbegin(); id != recency_.rend(); ++id) {
    const auto it = entries_.find(*id);
    if (it == entries_.end() || &*it->second.recency != &*id) return internal_error("RAM tier: an entry points to another entry's place in the list");
    const Entry& entry = *it->second.entry;
    if (id_of(entry.header) != *id || entry.blocks.size() != blocks_for(entry.header)) return internal_error("RAM tier: an entry is not what its header says");
    if (is_orphan(entry.header, on_device)) return internal_error("RAM tier: the page before a page is nowhere");
    if (id->kind == EntryKind::kKv && older.contains({EntryKind::kKv, entry.header.parent})) {
      return internal_error("RAM tier: a page is more recent than the page before it");
    }
    older.insert(*id);
    blocks += entry.blocks.size();
    if (id->kind == EntryKind::kKv) kv_blocks += entry.blocks.size();
  }
  if (older.size() != entries_.size()) {
    return internal_error(fmt::format("RAM tier: {} entries, but {} in the list", entries_.size(), older.size()));
  }
  if (blocks != num_blocks_ || kv_blocks != num_kv_blocks_ || blocks > max_blocks_ || static_cast<int64_t>(blocks) != memory_.num_blocks_in_use()) {
    return internal_error(fmt::format("RAM tier: holds {} blocks, counted {}, allowed {}, taken {}", blocks, num_blocks_, max_blocks_,
                                      memory_.num_blocks_in_use()));
  }
  return {};
}

}  // namespace glyph
