#include "cache/prefix_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace glyph {

struct PrefixTree::Node {
  Digest page{};        // a head's: the head
  Digest key{};         // prefix_key(); a head's: the head
  Node* parent = nullptr;  // nullptr: a head
  Children children;
  std::vector<KvBlockPool::BlockPtr> blocks;  // from first_block on
  int64_t first_block = 0;                    // the block in which the parent ends
  int64_t num_tokens = 0;
  int64_t next_position = 0;
  std::list<Node*>::iterator recency;
};

Digest prefix_key(const Digest& before, const Digest& page) { return Sha256().update(before).update(page).finish(); }

PrefixTree::PrefixTree(const KvLayout& layout, size_t max_bytes, OnEvict on_evict)
    : layout_(layout), max_bytes_(max_bytes), on_evict_(std::move(on_evict)) {}
PrefixTree::~PrefixTree() = default;

bool PrefixTree::contains(const Digest& key) const {
  const std::lock_guard lock(keys_mutex_);
  return by_key_.contains(key);
}

size_t PrefixTree::bytes_of(const Node& node) const { return node.blocks.size() * layout_.block_bytes(); }

// The deepest node on the path, a head included; nullptr without a head.
PrefixTree::Node* PrefixTree::walk(const Digest& head, std::span<const Digest> pages, size_t* depth) {
  *depth = 0;
  const auto found = heads_.find(head);
  if (found == heads_.end()) return nullptr;
  Node* node = found->second.get();
  for (const Digest& page : pages) {
    const auto it = node->children.find(page);
    if (it == node->children.end()) break;
    node = it->second.get();
    ++*depth;
  }
  return node;
}

// Children before parents, so that a parent is the more recent one.
void PrefixTree::touch(Node* node) {
  for (; node->parent != nullptr; node = node->parent) recency_.splice(recency_.begin(), recency_, node->recency);
}

PrefixTree::Match PrefixTree::find(const Digest& head, std::span<const Digest> pages) {
  Match match;
  Node* const last = walk(head, pages, &match.num_pages);
  if (match.num_pages == 0) return {};
  touch(last);
  match.num_tokens = last->num_tokens;
  match.next_position = last->next_position;
  match.key = last->key;
  std::vector<const Node*> path;
  for (const Node* node = last; node->parent != nullptr; node = node->parent) path.push_back(node);
  for (auto node = path.rbegin(); node != path.rend(); ++node) {
    match.blocks.resize(static_cast<size_t>((*node)->first_block));
    match.blocks.insert(match.blocks.end(), (*node)->blocks.begin(), (*node)->blocks.end());
  }
  return match;
}

bool PrefixTree::insert(const Digest& head, std::span<const Digest> pages, const KvCache& cache) {
  GLYPH_CHECK(!pages.empty());
  size_t depth = 0;
  const Node* const parent = walk(head, pages.first(pages.size() - 1), &depth);
  if (depth + 1 != pages.size()) return false;
  const bool first = parent == nullptr;
  return insert(head, pages, part_of(first ? head : parent->key, pages.back(), first ? 0 : parent->num_tokens, cache));
}

PrefixTree::Part PrefixTree::part_of(const Digest& parent, const Digest& page, int64_t begin_tokens, const KvCache& cache) {
  Part part{prefix_key(parent, page), parent, page, {}, begin_tokens, cache.num_tokens(), cache.next_position()};
  const int64_t block_tokens = cache.layout().block_tokens, end = (part.end_tokens + block_tokens - 1) / block_tokens;
  part.blocks.assign(cache.blocks().begin() + begin_tokens / block_tokens, cache.blocks().begin() + end);
  return part;
}

bool PrefixTree::insert(const Digest& head, std::span<const Digest> pages, Part part) {
  GLYPH_CHECK(!pages.empty());
  size_t depth = 0;
  Node* parent = walk(head, pages.first(pages.size() - 1), &depth);
  if (depth + 1 != pages.size()) return false;
  if (parent == nullptr) {  // the first page after a new head
    parent = heads_.emplace(head, std::make_unique<Node>()).first->second.get();
    parent->page = parent->key = head;
  }
  if (parent->children.contains(pages.back())) return false;
  GLYPH_CHECK(part.begin_tokens == parent->num_tokens && part.end_tokens > part.begin_tokens);

  auto node = std::make_unique<Node>();
  node->page = pages.back();
  node->key = prefix_key(parent->key, node->page);
  node->parent = parent;
  node->first_block = part.begin_tokens / layout_.block_tokens;
  node->num_tokens = part.end_tokens;
  node->next_position = part.next_position;
  node->blocks = std::move(part.blocks);
  num_bytes_ += bytes_of(*node);
  recency_.push_front(node.get());
  node->recency = recency_.begin();
  Node* const added = node.get();
  const Digest key = added->key;
  parent->children.emplace(added->page, std::move(node));
  {
    const std::lock_guard lock(keys_mutex_);
    by_key_.emplace(key, added);
  }
  touch(added);
  make_room(0);
  return contains(key);
}

std::optional<PrefixTree::Part> PrefixTree::part(const Digest& key) const {
  const auto it = by_key_.find(key);
  if (it == by_key_.end()) return std::nullopt;
  const Node& node = *it->second;
  return Part{node.key, node.parent->key, node.page, node.blocks, node.parent->num_tokens, node.num_tokens, node.next_position};
}

void PrefixTree::make_room(size_t bytes) {
  while (num_bytes_ + bytes > max_bytes_ && !recency_.empty()) drop_oldest();
}

void PrefixTree::drop_oldest() {
  Node* const node = recency_.back();
  GLYPH_CHECK(node->children.empty());
  Node* const parent = node->parent;
  const std::optional<Part> evicted = on_evict_ ? part(node->key) : std::nullopt;
  drop(node);
  if (parent->parent == nullptr && parent->children.empty()) {
    const Digest head = parent->key;
    heads_.erase(head);
  }
  if (evicted) on_evict_(*evicted);
}

// With all below it.
void PrefixTree::drop(Node* node) {
  while (!node->children.empty()) drop(node->children.begin()->second.get());
  recency_.erase(node->recency);
  {
    const std::lock_guard lock(keys_mutex_);
    by_key_.erase(node->key);
  }
  num_bytes_ -= bytes_of(*node);
  const Digest page = node->page;
  node->parent->children.erase(page);
}

void PrefixTree::forget(const std::set<Digest>& pages) {
  std::vector<Node*> doomed;
  for (Node* node : recency_) {
    if (pages.contains(node->page)) doomed.push_back(node);
  }
  // Deepest first: a doomed page may stand below another one.
  std::sort(doomed.begin(), doomed.end(), [](const Node* a, const Node* b) { return a->num_tokens > b->num_tokens; });
  for (Node* node : doomed) drop(node);
  std::erase_if(heads_, [](const auto& head) { return head.second->children.empty(); });
}

void PrefixTree::clear() {
  heads_.clear();
  recency_.clear();
  num_bytes_ = 0;
  const std::lock_guard lock(keys_mutex_);
  by_key_.clear();
}

Status PrefixTree::check_integrity() const {
  size_t bytes = 0;
  std::map<const Node*, size_t> rank;
  for (const Node* node : recency_) rank.emplace(node, rank.size());
  for (const Node* node : recency_) {
    bytes += bytes_of(*node);
    const int64_t end = (node->num_tokens + layout_.block_tokens - 1) / layout_.block_tokens;
    if (node->num_tokens <= node->parent->num_tokens || node->first_block != node->parent->num_tokens / layout_.block_tokens ||
        node->first_block + static_cast<int64_t>(node->blocks.size()) != end) {
      return internal_error(fmt::format("prefix tree: {} blocks from {} do not hold tokens {} to {}", node->blocks.size(),
                                        node->first_block, node->parent->num_tokens, node->num_tokens));
    }
    if (node->parent->parent != nullptr && rank.at(node->parent) >= rank.at(node)) {
      return internal_error("prefix tree: a page is more recent than the page before it");
    }
    const auto by_key = by_key_.find(node->key);
    if (by_key == by_key_.end() || by_key->second != node) return internal_error("prefix tree: a page is not known by its key");
    const auto in_parent = node->parent->children.find(node->page);
    if (in_parent == node->parent->children.end() || in_parent->second.get() != node) {
      return internal_error("prefix tree: a page is not among the children of the page before it");
    }
  }
  if (by_key_.size() != recency_.size()) return internal_error("prefix tree: a page that is gone is still known by its key");
  for (const auto& [key, head] : heads_) {
    if (head->children.empty()) return internal_error("prefix tree: a head without pages was kept");
  }
  if (rank.size() != recency_.size()) return internal_error("prefix tree: a page is in the list twice");
  if (bytes != num_bytes_ || bytes > max_bytes_) {
    return internal_error(fmt::format("prefix tree: holds {} bytes, counted {}, allowed {}", bytes, num_bytes_, max_bytes_));
  }
  return {};
}

}  // namespace glyph
