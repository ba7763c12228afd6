#include "answer/token_trie.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace glyph {

bool TokenMask::empty() const {
  return std::all_of(words_.begin(), words_.end(), [](uint64_t word) { return word == 0; });
}

TokenTrie::TokenTrie(std::vector<std::string> spellings) : spellings_(std::move(spellings)) {
  for (size_t id = 0; id < spellings_.size(); ++id) {
    if (!spellings_[id].empty() && spellings_[id].size() <= kMaxTokenBytes) ids_.push_back(static_cast<int32_t>(id));
  }
  std::sort(ids_.begin(), ids_.end(), [&](int32_t a, int32_t b) {
    return spelling(a) != spelling(b) ? spelling(a) < spelling(b) : a < b;
  });
  add_nodes(ids_);
}

// In the order of spellings every prefix's tokens stand together, so nodes come out parents first.
void TokenTrie::add_nodes(std::span<const int32_t> order) {
  std::vector<uint32_t> path;  // the nodes of the current spelling
  const auto close_to = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back()) nodes_[path.back()].after = static_cast<uint32_t>(nodes_.size());
  };
  for (size_t i = 0; i < order.size(); ++i) {
    const std::string& text = spelling(order[i]);
    size_t common = 0;
    while (common < path.size() && common < text.size() && nodes_[path[common]].byte == static_cast<uint8_t>(text[common])) ++common;
    close_to(common);
    const auto at = static_cast<uint32_t>(i);
    for (size_t depth = common; depth < text.size(); ++depth) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({static_cast<uint8_t>(text[depth]), static_cast<uint16_t>(depth + 1), 0, at, at});
    }
    nodes_[path.back()].ids_end = at + 1;
  }
  close_to(0);
}

TokenMask TokenTrie::taken_by(const JsonMachine& machine) const {
  TokenMask taken(spellings_.size());
  std::vector<JsonMachine> machines(kMaxTokenBytes + 1, machine);  // after so many bytes of the node's spelling
  for (size_t i = 0; i < nodes_.size();) {
    const Node& node = nodes_[i];
    JsonMachine& next = machines[node.depth];
    next = machines[node.depth - 1];
    if (!next.push(node.byte)) {
      i = node.after;
      continue;
    }
    for (uint32_t k = node.ids_begin; k < node.ids_end; ++k) taken.add(ids_[k]);
    ++i;
  }
  return taken;
}

}  // namespace glyph
