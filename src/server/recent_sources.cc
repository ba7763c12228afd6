#include "server/recent_sources.h"

#include <algorithm>
#include <utility>

namespace glyph {

Digest RecentSources::key_of(std::string_view name, std::string_view bytes) {
  Sha256 hash;
  hash.field(name).field(bytes);
  return hash.finish();
}

SourcePtr RecentSources::find(const Digest& key) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
  if (found == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found);
  return found->source;
}

void RecentSources::add(const Digest& key, SourcePtr source, size_t num_bytes) {
  const std::lock_guard lock(mutex_);
  if (num_bytes > max_bytes_ || max_entries_ == 0) return;
  // Somebody else may have sent it meanwhile: one of the two is as good as the other.
  if (std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; })) return;
  while (entries_.size() >= max_entries_ || num_bytes_ + num_bytes > max_bytes_) {
    num_bytes_ -= entries_.back().num_bytes;
    entries_.pop_back();
  }
  entries_.push_front({key, std::move(source), num_bytes});
  num_bytes_ += num_bytes;
}

}  // namespace glyph
