// PrefixTree: KV blocks of what was read before, by the pages that were read. README.md beside this file tells how.
//
//   root -- head (tokens before the first page) -- page -- page -- page
//                                                      \-- page (another edition)
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/hash.h"
#include "glyph/status.h"
#include "language/kv_cache.h"

namespace glyph {

// Names a prompt up to the end of a page by what stands before it: another such key, or the head of the first page.
Digest prefix_key(const Digest& before, const Digest& page);

// One thread, but for what says otherwise. The pool of the blocks must outlive it.
class PrefixTree {
 public:
  // What is known of a prompt's beginning: the blocks, which stay alive with it.
  struct Match {
    std::vector<KvBlockPool::BlockPtr> blocks;
    int64_t num_tokens = 0;     // 0: nothing is known
    int64_t next_position = 0;  // rotary, of the token after
    size_t num_pages = 0;       // of those asked for
    Digest key{};               // of the last page that is known, as prefix_key()
  };
  // What one page adds to the pages before it.
  struct Part {
    Digest key{}, parent{}, page{};
    std::vector<KvBlockPool::BlockPtr> blocks;  // whole ones, from the block in which the pages before it end
    int64_t begin_tokens = 0;                   // 0: the first page, with what stands before it
    int64_t end_tokens = 0;
    int64_t next_position = 0;
  };

  // Hears of what made room for others, once it is gone.
  using OnEvict = std::function<void(const Part& part)>;

  PrefixTree(const KvLayout& layout, size_t max_bytes, OnEvict on_evict = {});
  ~PrefixTree();
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  // What `cache`, which ends right after `page`, holds from token `begin_tokens` on, where `parent` ends.
  static Part part_of(const Digest& parent, const Digest& page, int64_t begin_tokens, const KvCache& cache);

  // The longest known beginning of `pages` after `head`; it counts as used now.
  Match find(const Digest& head, std::span<const Digest> pages);
  // Keeps what `cache` holds, which must end right after the last of `pages`. Without a node for the pages before, nothing happens.
  // True when the page was not there and is now.
  bool insert(const Digest& head, std::span<const Digest> pages, const KvCache& cache);
  // The same with the part that the last page adds: of another tier.
  bool insert(const Digest& head, std::span<const Digest> pages, Part part);
  // Any thread.
  bool contains(const Digest& key) const;
  // What a page added, if it is still there; this does not count as use.
  std::optional<Part> part(const Digest& key) const;
  // Drops what was not used for longest until `bytes` more fit, or nothing is left.
  void make_room(size_t bytes);
  // Forgets these pages wherever they stand, with all that was read after them.
  void forget(const std::set<Digest>& pages);
  // Forgets everything.
  void clear();

  size_t num_bytes() const { return num_bytes_; }
  size_t num_nodes() const { return recency_.size(); }
  // kInternal with a sentence when the bookkeeping is wrong.
  Status check_integrity() const;

 private:
  struct Node;
  using Children = std::map<Digest, std::unique_ptr<Node>>;

  Node* walk(const Digest& head, std::span<const Digest> pages, size_t* depth);
  void touch(Node* node);
  void drop_oldest();
  void drop(Node* node);
  size_t bytes_of(const Node& node) const;

  const KvLayout layout_;
  const size_t max_bytes_;
  const OnEvict on_evict_;
  size_t num_bytes_ = 0;
  std::list<Node*> recency_;  // most recent first; all nodes but the heads
  Children heads_;            // hold no blocks
  mutable std::mutex keys_mutex_;
  std::map<Digest, Node*> by_key_;  // changed with keys_mutex_ held, and other threads look with it
};

}  // namespace glyph
