// A small lossy cache from a piece's bytes to its ids: fixed size, no eviction order, compared byte for byte.
//
// Most pieces of a text are a few thousand words. Pieces of more than 30 bytes or 8 ids are not kept. Not
// thread safe.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace glyph {

class WordCache {
 public:
  static constexpr size_t kMaxBytes = 30;
  static constexpr size_t kMaxIds = 8;

  struct alignas(64) Entry {
    char bytes[kMaxBytes];
    uint8_t num_bytes = 0;  // 0: empty
    uint8_t num_ids = 0;
    int32_t ids[kMaxIds];
  };
  static_assert(sizeof(Entry) == 64, "an entry is one cache line");

  WordCache() : entries_(size_t{1} << kBits) {}

  // The place for a piece of 1 to kMaxBytes bytes; holds(entry, piece) tells whether it is there.
  Entry& entry_for(std::string_view piece) { return entries_[hash(piece) >> (64 - kBits)]; }
  static bool holds(const Entry& entry, std::string_view piece) {
    return entry.num_bytes == piece.size() && std::memcmp(entry.bytes, piece.data(), piece.size()) == 0;
  }
  // Replaces what was there.
  static void store(Entry& entry, std::string_view piece, const int32_t* ids, size_t num_ids) {
    if (num_ids > kMaxIds) return;
    std::memcpy(entry.bytes, piece.data(), piece.size());
    entry.num_bytes = static_cast<uint8_t>(piece.size());
    entry.num_ids = static_cast<uint8_t>(num_ids);
    std::memcpy(entry.ids, ids, num_ids * sizeof(int32_t));
  }

 private:
  static constexpr int kBits = 15;

  static uint64_t load(const char* from, size_t size) {
    uint64_t value = 0;
    std::memcpy(&value, from, size);
    return value;
  }

  static uint64_t mix(uint64_t a, uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a ^ 0x2D358DCCAA6C78A5u) * (b ^ 0x8BB84B93962EACC9u);
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }

  static uint64_t hash(std::string_view piece) {
    const size_t size = piece.size();
    const char* data = piece.data();
    if (size >= 16) {
      const uint64_t head = mix(load(data, 8), load(data + 8, 8));
      return mix(head ^ load(data + size - 16, 8), load(data + size - 8, 8) + size);
    }
    if (size >= 8) return mix(load(data, 8), load(data + size - 8, 8) + size);
    if (size >= 4) return mix(load(data, 4), load(data + size - 4, 4) + size);
    const auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<uint8_t>(data[i])); };
    return mix(byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16, size);
  }

  std::vector<Entry> entries_;
};

}  // namespace glyph
