// FeatureCache: features of pages by the content of the page, least recently used out first.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/hash.h"
#include "glyph/status.h"
#include "vision/page_features.h"

namespace glyph {

using FeaturesPtr = std::shared_ptr<const PageFeatures>;

// One thread, but for what says otherwise.
class FeatureCache {
 public:
  // Hears of what made room for others.
  using OnEvict = std::function<void(const Digest& key, const PageFeatures& features)>;

  explicit FeatureCache(size_t max_bytes, OnEvict on_evict = {}) : max_bytes_(max_bytes), on_evict_(std::move(on_evict)) {}

  // nullptr when it is not there; what is found counts as used now.
  FeaturesPtr find(const Digest& key);
  // Keeps it if it fits into the budget at all; others make room.
  void insert(const Digest& key, FeaturesPtr features);

  // The same without counting as use.
  FeaturesPtr peek(const Digest& key) const;
  // Any thread.
  bool contains(const Digest& key) const;
  void erase(const Digest& key);
  void clear();

  size_t num_bytes() const { return num_bytes_; }
  size_t num_pages() const { return entries_.size(); }
  // kInternal with a sentence when the bookkeeping is wrong.
  Status check_integrity() const;

 private:
  struct Entry {
    FeaturesPtr features;
    std::list<Digest>::iterator recency;
  };
  void drop_oldest();

  const size_t max_bytes_;
  const OnEvict on_evict_;
  size_t num_bytes_ = 0;
  std::list<Digest> recency_;  // most recent first
  mutable std::mutex keys_mutex_;
  std::map<Digest, Entry> entries_;  // changed with keys_mutex_ held, and other threads look with it
};

}  // namespace glyph
