#include "cache/disk_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace glyph {
namespace {

template <typename Key, typename Value>
void remove_from(std::map<Key, std::set<Value>>& sets, const Key& key, const Value& value) {
  const auto it = sets.find(key);
  it->second.erase(value);
  if (it->second.empty()) sets.erase(it);
}

}  // namespace

bool DiskIndex::has_place(const EntryId& id, const Entry& entry) const {
  if (!owners_.is_owned(entry.page)) return false;
  return id.kind == EntryKind::kFeatures || entry.first || entries_.contains({EntryKind::kKv, entry.parent});
}

void DiskIndex::put(const EntryId& id, const Entry& entry) {
  GLYPH_CHECK(has_place(id, entry));
  const auto [it, added] = entries_.emplace(id, entry);
  if (added) {
    by_page_[entry.page].insert(id);
    if (id.kind == EntryKind::kKv) children_[entry.parent].insert(id.key);
  }
  uint64_t& old = it->second.bytes;
  if (added) old = 0;
  num_bytes_ += entry.bytes - old;
  if (id.kind == EntryKind::kKv) kv_bytes_ += entry.bytes - old;
  old = entry.bytes;
}

void DiskIndex::take_out(const EntryId& id, std::vector<EntryId>& taken) {
  std::vector<EntryId> open{id};
  while (!open.empty()) {
    const EntryId next = open.back();
    open.pop_back();
    const auto it = entries_.find(next);
    if (it == entries_.end()) continue;
    const Entry entry = it->second;
    entries_.erase(it);
    num_bytes_ -= entry.bytes;
    remove_from(by_page_, entry.page, next);
    taken.push_back(next);
    if (next.kind != EntryKind::kKv) continue;
    kv_bytes_ -= entry.bytes;
    remove_from(children_, entry.parent, next.key);
    if (const auto children = children_.find(next.key); children != children_.end()) {
      for (const Digest& child : children->second) open.push_back({EntryKind::kKv, child});
    }
  }
}

std::vector<EntryId> DiskIndex::erase(const EntryId& id) {
  std::vector<EntryId> taken;
  take_out(id, taken);
  return taken;
}

std::vector<EntryId> DiskIndex::erase_pages(const std::vector<Digest>& pages) {
  std::vector<EntryId> taken;
  for (const Digest& page : pages) {
    for (auto it = by_page_.find(page); it != by_page_.end(); it = by_page_.find(page)) {
      const EntryId id = *it->second.begin();
      take_out(id, taken);
    }
  }
  return taken;
}

// A page goes with the last document that has it.
std::vector<EntryId> DiskIndex::make_room(uint64_t bytes, const std::string& keep) {
  std::vector<EntryId> taken;
  if (fits(bytes) || bytes > max_bytes_) return taken;
  std::map<Digest, size_t> dropped;  // owners of a page that have lost it
  for (const std::string& name : owners_.oldest_first()) {
    if (fits(bytes)) break;
    if (name == keep) continue;
    std::vector<Digest> pages;
    for (const Digest& page : owners_.find(name)->pages) {
      if (++dropped[page] == owners_.num_owners_of(page)) pages.push_back(page);
    }
    const std::vector<EntryId> more = erase_pages(pages);
    taken.insert(taken.end(), more.begin(), more.end());
  }
  return taken;
}

std::vector<EntryId> DiskIndex::set_owner(const std::string& owner, std::vector<Digest> pages) {
  return erase_pages(owners_.set(owner, std::move(pages)));
}

std::vector<EntryId> DiskIndex::remove_owner(const std::string& owner) { return erase_pages(owners_.remove(owner)); }

Status DiskIndex::check_integrity() const {
  uint64_t bytes = 0, kv_bytes = 0;
  size_t num_by_page = 0, num_children = 0, num_kv = 0;
  for (const auto& [id, entry] : entries_) {
    bytes += entry.bytes;
    if (!has_place(id, entry)) return internal_error(fmt::format("disk cache: {} has no document, or nothing before it", hex(id.key)));
    const auto same_page = by_page_.find(entry.page);
    if (same_page == by_page_.end() || !same_page->second.contains(id)) {
      return internal_error("disk cache: an entry is not among those of its page");
    }
    if (id.kind != EntryKind::kKv) continue;
    kv_bytes += entry.bytes;
    ++num_kv;
    const auto siblings = children_.find(entry.parent);
    if (siblings == children_.end() || !siblings->second.contains(id.key)) {
      return internal_error("disk cache: an entry is not among the children of the one before it");
    }
  }
  for (const auto& [page, ids] : by_page_) num_by_page += ids.size();
  for (const auto& [parent, keys] : children_) num_children += keys.size();
  if (num_by_page != entries_.size() || num_children != num_kv) return internal_error("disk cache: an entry that is gone is still listed");
  if (bytes != num_bytes_ || kv_bytes != kv_bytes_ || bytes > max_bytes_) {
    return internal_error(fmt::format("disk cache: holds {} bytes, counted {}, allowed {}", bytes, num_bytes_, max_bytes_));
  }
  return {};
}

}  // namespace glyph
