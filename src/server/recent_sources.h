// RecentSources: files that came inside messages lately. A client that asks again sends the same file again; what is known of it is then
// neither opened nor drawn a second time.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <string_view>

#include "base/hash.h"
#include "schedule/request.h"

namespace glyph {

// Any thread. The least recently used go first.
class RecentSources {
 public:
  // max_bytes: of the files, together; a larger one is never kept.
  explicit RecentSources(size_t max_entries = 16, size_t max_bytes = size_t{16} << 20) : max_entries_(max_entries), max_bytes_(max_bytes) {}

  // By name (which decides how bytes are read) and content.
  static Digest key_of(std::string_view name, std::string_view bytes);
  // nullptr: not here.
  SourcePtr find(const Digest& key);
  void add(const Digest& key, SourcePtr source, size_t num_bytes);

 private:
  struct Entry {
    Digest key;
    SourcePtr source;
    size_t num_bytes;
  };

  const size_t max_entries_, max_bytes_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // guarded by mutex_, the last used first
  size_t num_bytes_ = 0;      // guarded by mutex_
};

}  // namespace glyph
