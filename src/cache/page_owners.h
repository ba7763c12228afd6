// PageOwners: which documents a page belongs to. What is kept of a page lives as long as some document has it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/hash.h"

namespace glyph {

// Not thread safe.
class PageOwners {
 public:
  struct Owner {
    std::vector<Digest> pages;  // sorted, each once
    int64_t last_used = 0;      // Unix milliseconds
  };

  // Says what all pages of a document are. Returns those that it had before and nobody has now.
  std::vector<Digest> set(const std::string& owner, std::vector<Digest> pages);
  // One page more; false when it was known.
  bool add(const std::string& owner, const Digest& page);
  // Returns the pages nobody has any more.
  std::vector<Digest> remove(const std::string& owner);
  void touch(const std::string& owner, int64_t unix_ms);

  bool is_owned(const Digest& page) const { return counts_.contains(page); }
  size_t num_owners_of(const Digest& page) const;
  const Owner* find(const std::string& owner) const;
  const std::map<std::string, Owner>& all() const { return owners_; }
  // The documents, least recently used first.
  std::vector<std::string> oldest_first() const;

 private:
  std::vector<Digest> release(const std::vector<Digest>& pages);

  std::map<std::string, Owner> owners_;
  std::map<Digest, size_t> counts_;  // of owners; never 0
};

}  // namespace glyph
