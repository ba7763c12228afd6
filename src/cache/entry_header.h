// The first bytes of a cache file: what it is, of which model, and how to know that it is whole. Little-endian, fixed size.
//
//   magic 8 | version 4 | kind 4 | identity 32 | key 32 | page 32 | parent 32 | shape 5 x 8 | payload bytes 8 | payload checksum 8 |
//   checksum of all before 8
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>

#include "base/hash.h"
#include "glyph/status.h"

namespace glyph {

constexpr uint32_t kEntryVersion = 1;
constexpr size_t kEntryHeaderBytes = 208;
constexpr uint64_t kMaxEntryPayload = uint64_t{1} << 36;

enum class EntryKind : uint32_t { kFeatures = 1, kKv = 2 };

// What an entry is called in every tier.
struct EntryId {
  EntryKind kind = EntryKind::kFeatures;
  Digest key{};
  auto operator<=>(const EntryId&) const = default;
};

// The size of what a vision model makes of a page, as PageFeatures.
struct FeatureShape {
  int64_t grid_height = 0, grid_width = 0;  // patches
  int64_t merge_size = 0;
  int64_t columns = 0;  // of (tokens, columns)
  int64_t dtype = 0;    // DType
};

// The part of a prompt that one page adds to the KV cache, as whole blocks: from the one in which the tokens before it end.
struct KvSpan {
  int64_t begin_tokens = 0;   // 0: the first page, with what stands before it
  int64_t end_tokens = 0;
  int64_t next_position = 0;  // rotary, of the token after
  int64_t block_tokens = 0;
  int64_t block_bytes = 0;

  int64_t num_blocks() const { return (end_tokens + block_tokens - 1) / block_tokens - begin_tokens / block_tokens; }
};

struct EntryHeader {
  EntryKind kind = EntryKind::kFeatures;
  Digest identity{};  // of the model, its precision, layout and machine: what may use the payload
  Digest key{};       // features: the page; KV: the prompt up to the end of the page
  Digest page{};      // content of the page
  Digest parent{};    // KV: the key of the prompt before the page
  FeatureShape features;  // of kFeatures
  KvSpan kv;              // of kKv
  uint64_t payload_bytes = 0;
  uint64_t payload_checksum = 0;
};

std::array<uint8_t, kEntryHeaderBytes> to_bytes(const EntryHeader& header);
// From the first kEntryHeaderBytes of a file. kRefused: not a header, damaged, of another version, or of sizes that cannot be or do
// not agree with each other.
Result<EntryHeader> parse_entry_header(std::span<const uint8_t> bytes);

}  // namespace glyph
