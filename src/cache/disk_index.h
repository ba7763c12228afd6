// DiskIndex: what lies on disk, whose it is, and what goes first when there is no room. Knows no files.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/hash.h"
#include "cache/entry_header.h"
#include "cache/page_owners.h"
#include "glyph/status.h"

namespace glyph {

// Not thread safe. Calls that return entries have taken them out of the index; the caller deletes their files.
class DiskIndex {
 public:
  struct Entry {
    Digest page{};
    Digest parent{};     // of KV
    bool first = false;  // KV of a first page: there is no parent
    uint64_t bytes = 0;
  };

  explicit DiskIndex(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // What `id` would need: its page belongs to a document, and the prompt before it is there.
  bool has_place(const EntryId& id, const Entry& entry) const;
  void put(const EntryId& id, const Entry& entry);  // has_place(); an older one is replaced
  // With what builds on it.
  std::vector<EntryId> erase(const EntryId& id);
  // Makes room for `bytes` by dropping what whole documents hold, least recently used first, never `keep`'s. Returns what went; there
  // may still be no room.
  std::vector<EntryId> make_room(uint64_t bytes, const std::string& keep);
  bool fits(uint64_t bytes) const { return bytes <= max_bytes_ && num_bytes_ <= max_bytes_ - bytes; }

  // Documents.
  std::vector<EntryId> set_owner(const std::string& owner, std::vector<Digest> pages);
  bool add_page(const std::string& owner, const Digest& page) { return owners_.add(owner, page); }
  std::vector<EntryId> remove_owner(const std::string& owner);
  void touch(const std::string& owner, int64_t unix_ms) { owners_.touch(owner, unix_ms); }
  const PageOwners& owners() const { return owners_; }

  bool contains(const EntryId& id) const { return entries_.contains(id); }
  const std::map<EntryId, Entry>& entries() const { return entries_; }
  uint64_t num_bytes() const { return num_bytes_; }
  uint64_t num_bytes(EntryKind kind) const { return kind == EntryKind::kKv ? kv_bytes_ : num_bytes_ - kv_bytes_; }
  uint64_t max_bytes() const { return max_bytes_; }
  // kInternal with a sentence when the bookkeeping is wrong.
  Status check_integrity() const;

 private:
  void take_out(const EntryId& id, std::vector<EntryId>& taken);
  std::vector<EntryId> erase_pages(const std::vector<Digest>& pages);

  const uint64_t max_bytes_;
  uint64_t num_bytes_ = 0, kv_bytes_ = 0;
  std::map<EntryId, Entry> entries_;
  std::map<Digest, std::set<EntryId>> by_page_;
  std::map<Digest, std::set<Digest>> children_;  // KV: keys by the key of the prompt before them
  PageOwners owners_;
};

}  // namespace glyph
