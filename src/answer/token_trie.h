// TokenTrie: the byte spellings of a vocabulary, so that all tokens that a grammar takes are found in one walk.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "answer/json_machine.h"

namespace glyph {

// One bit a token id.
class TokenMask {
 public:
  explicit TokenMask(size_t num_tokens = 0) : num_tokens_(num_tokens), words_((num_tokens + 63) / 64) {}
  bool has(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < num_tokens_ && (words_[static_cast<size_t>(id) / 64] >> (id % 64) & 1); }
  void add(int32_t id) {
    if (id >= 0 && static_cast<size_t>(id) < num_tokens_) words_[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
  }
  void remove(int32_t id) {
    if (has(id)) words_[static_cast<size_t>(id) / 64] &= ~(uint64_t{1} << (id % 64));
  }
  bool empty() const;
  size_t num_tokens() const { return num_tokens_; }

 private:
  size_t num_tokens_;
  std::vector<uint64_t> words_;
};

constexpr size_t kMaxTokenBytes = 256;  // a longer token is never taken

// Immutable: any thread.
class TokenTrie {
 public:
  // spellings[id]: the bytes of a token; "" for one that no grammar takes (control tokens, gaps in the vocabulary).
  explicit TokenTrie(std::vector<std::string> spellings);

  int32_t num_tokens() const { return static_cast<int32_t>(spellings_.size()); }
  const std::string& spelling(int32_t id) const { return spellings_[static_cast<size_t>(id)]; }
  // The tokens whose bytes the machine takes one after the other.
  TokenMask taken_by(const JsonMachine& machine) const;

 private:
  struct Node {
    uint8_t byte;
    uint16_t depth;      // bytes up to and with this one
    uint32_t after;      // the next node that is not below this one
    uint32_t ids_begin;  // in ids_: the tokens that end here
    uint32_t ids_end;
  };
  void add_nodes(std::span<const int32_t> order);

  std::vector<std::string> spellings_;
  std::vector<Node> nodes_;   // parents before children
  std::vector<int32_t> ids_;  // by spelling
};

}  // namespace glyph
