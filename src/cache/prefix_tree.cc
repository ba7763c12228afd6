#include "cache/prefix_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace glyph {

struct PrefixTree::Node {
  Digest key{};
  Node* parent = nullptr;  // nullptr: a head
  Children children;
  std::vector<KvBlockPool::BlockPtr> blocks;  // from first_block on
  int64_t first_block = 0;                    // the block in which the parent ends
  int64_t num_tokens = 0;
  int64_t next_position = 0;
  std::list<Node*>::iterator recency;
};

PrefixTree::PrefixTree(const KvLayout& layout, size_t max_bytes) : layout_(layout), max_bytes_(max_bytes) {}
PrefixTree::~PrefixTree() = default;

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
  std::vector<const Node*> path;
  for (const Node* node = last; node->parent != nullptr; node = node->parent) path.push_back(node);
  for (auto node = path.rbegin(); node != path.rend(); ++node) {
    match.blocks.resize(static_cast<size_t>((*node)->first_block));
    match.blocks.insert(match.blocks.end(), (*node)->blocks.begin(), (*node)->blocks.end());
  }
  return match;
}

void PrefixTree::insert(const Digest& head, std::span<const Digest> pages, const KvCache& cache) {
  GLYPH_CHECK(!pages.empty());
  if (pages.size() == 1 && !heads_.contains(head)) {
    const auto added = heads_.emplace(head, std::make_unique<Node>()).first;
    added->second->key = head;
  }
  size_t depth = 0;
  Node* const parent = walk(head, pages.first(pages.size() - 1), &depth);
  if (parent == nullptr || depth + 1 != pages.size() || parent->children.contains(pages.back())) return;
  GLYPH_CHECK(cache.num_tokens() > parent->num_tokens);

  auto node = std::make_unique<Node>();
  node->key = pages.back();
  node->parent = parent;
  node->first_block = parent->num_tokens / layout_.block_tokens;
  node->num_tokens = cache.num_tokens();
  node->next_position = cache.next_position();
  const int64_t end = (cache.num_tokens() + layout_.block_tokens - 1) / layout_.block_tokens;
  node->blocks.assign(cache.blocks().begin() + node->first_block, cache.blocks().begin() + end);
  num_bytes_ += bytes_of(*node);
  recency_.push_front(node.get());
  node->recency = recency_.begin();
  Node* const added = node.get();
  parent->children.emplace(added->key, std::move(node));
  touch(added);
  while (num_bytes_ > max_bytes_) drop_oldest();
}

void PrefixTree::drop_oldest() {
  Node* const node = recency_.back();
  GLYPH_CHECK(node->children.empty());
  recency_.pop_back();
  num_bytes_ -= bytes_of(*node);
  Node* const parent = node->parent;
  const Digest key = node->key;
  parent->children.erase(key);
  if (parent->parent != nullptr || !parent->children.empty()) return;
  const Digest head = parent->key;
  heads_.erase(head);
}

void PrefixTree::clear() {
  heads_.clear();
  recency_.clear();
  num_bytes_ = 0;
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
    const auto in_parent = node->parent->children.find(node->key);
    if (in_parent == node->parent->children.end() || in_parent->second.get() != node) {
      return internal_error("prefix tree: a page is not among the children of the page before it");
    }
  }
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
