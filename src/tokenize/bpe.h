// Byte-pair encoding: the bytes of one piece -> token ids.
//
// Merges the pair of lowest rank, leftmost first, until none is left. Reference: the BPE model of
// huggingface/tokenizers (without dropout, unknown token, prefixes and suffixes). The model is immutable;
// each thread brings its own BpeScratch.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenize/pair_table.h"
#include "tokenize/word_cache.h"

namespace glyph {

struct BpeMerge {
  int32_t left = 0, right = 0;  // ids
  int32_t result = 0;           // id; the rank is the place in the list
};

// Working memory of one thread: what grows with the longest piece, and the cache of frequent pieces (2 MiB).
struct BpeScratch {
  struct Symbol {
    int32_t id;
    int32_t previous, next;  // -1: none
    uint32_t length;         // bytes; 0 after it was merged into its left neighbour
  };
  struct Candidate {
    uint32_t rank;
    int32_t at;  // the left symbol
    int32_t result;
    uint32_t length;  // of both when this was found
  };
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
  WordCache cache;
};

class BpeModel {
 public:
  using WholePieces = std::unordered_map<std::string_view, int32_t>;

  BpeModel() = default;
  // `byte_ids`: the token of each byte. `whole` is looked up before any merge (ignore_merges); its keys must
  // outlive the model.
  BpeModel(const std::array<int32_t, 256>& byte_ids, const std::vector<BpeMerge>& merges, WholePieces whole);

  // Appends the ids of one piece.
  void encode(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& ids) const;

  int32_t byte_id(uint8_t byte) const { return byte_ids_[byte]; }

 private:
  PairMerge merge_of(int32_t left, int32_t right) const { return pairs_.find(left, right); }
  void encode_short(std::string_view piece, std::vector<int32_t>& ids) const;
  void encode_long(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& ids) const;
  void push_candidate(BpeScratch& scratch, int32_t at) const;

  std::array<int32_t, 256> byte_ids_{};
  std::vector<PairMerge> byte_pairs_;  // (256 * 256), first merges without a hash
  PairTable pairs_;
  WholePieces whole_;
};

}  // namespace glyph
