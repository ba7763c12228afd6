#include "cache/feature_cache.h"

#include <fmt/format.h>

#include <utility>

namespace glyph {

FeaturesPtr FeatureCache::find(const Digest& key) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return nullptr;
  recency_.splice(recency_.begin(), recency_, it->second.recency);
  return it->second.features;
}

FeaturesPtr FeatureCache::peek(const Digest& key) const {
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : it->second.features;
}

bool FeatureCache::contains(const Digest& key) const {
  const std::lock_guard lock(keys_mutex_);
  return entries_.contains(key);
}

void FeatureCache::insert(const Digest& key, FeaturesPtr features) {
  const size_t bytes = features->values.num_bytes();
  if (bytes > max_bytes_ || entries_.contains(key)) return;
  while (num_bytes_ + bytes > max_bytes_) drop_oldest();
  recency_.push_front(key);
  num_bytes_ += bytes;
  const std::lock_guard lock(keys_mutex_);
  entries_.emplace(key, Entry{std::move(features), recency_.begin()});
}

void FeatureCache::erase(const Digest& key) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  num_bytes_ -= it->second.features->values.num_bytes();
  recency_.erase(it->second.recency);
  const std::lock_guard lock(keys_mutex_);
  entries_.erase(it);
}

void FeatureCache::clear() {
  recency_.clear();
  num_bytes_ = 0;
  const std::lock_guard lock(keys_mutex_);
  entries_.clear();
}

void FeatureCache::drop_oldest() {
  const Digest key = recency_.back();
  const FeaturesPtr features = peek(key);
  erase(key);
  if (on_evict_) on_evict_(key, *features);
}

Status FeatureCache::check_integrity() const {
  size_t bytes = 0;
  for (const auto& [key, entry] : entries_) {
    bytes += entry.features->values.num_bytes();
    if (*entry.recency != key) return internal_error("feature cache: an entry points to another entry's place in the list");
  }
  if (entries_.size() != recency_.size()) {
    return internal_error(fmt::format("feature cache: {} entries, but {} in the list", entries_.size(), recency_.size()));
  }
  if (bytes != num_bytes_ || bytes > max_bytes_) {
    return internal_error(fmt::format("feature cache: holds {} bytes, counted {}, allowed {}", bytes, num_bytes_, max_bytes_));
  }
  return {};
}

}  // namespace glyph
