// A flat hash map from a pair of token ids to the merge it allows. Filled once, then read by any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace glyph {

struct PairMerge {
  static constexpr uint32_t kNone = std::numeric_limits<int32_t>::max();
  uint32_t rank = kNone;
  int32_t result = -1;
};

class PairTable {
 public:
  // Room for `count` pairs at a load of at most one half.
  explicit PairTable(size_t count = 0) {
    size_t size = 16;
    while (size < 2 * count) size *= 2;
    slots_.resize(size);
    shift_ = 64 - __builtin_ctzll(size);
  }

  // A later merge of the same pair replaces the earlier one.
  void insert(int32_t left, int32_t right, PairMerge merge) {
    Slot& slot = slots_[place(key_of(left, right))];
    slot.key = key_of(left, right);
    slot.merge = merge;
  }

  // Rank kNone when the pair has no merge.
  PairMerge find(int32_t left, int32_t right) const { return slots_[place(key_of(left, right))].merge; }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  struct Slot {
    uint64_t key = kEmpty;
    PairMerge merge;
  };

  static uint64_t key_of(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  // Where the key is, or the empty slot where it would be.
  size_t place(uint64_t key) const {
    size_t at = (key * 0x9E3779B97F4A7C15u ^ key >> 29) * 0xBF58476D1CE4E5B9u >> shift_;
    while (slots_[at].key != key && slots_[at].key != kEmpty) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  std::vector<Slot> slots_;
  int shift_ = 0;
};

}  // namespace glyph
