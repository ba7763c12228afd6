#include "cache/entry_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "cache/checksum.h"
#include "tensor/dtype.h"

namespace glyph {
namespace {

static_assert(std::endian::native == std::endian::little, "cache files are little-endian");

constexpr std::array<uint8_t, 8> kMagic{'G', 'L', 'Y', 'P', 'H', 'C', 'A', '\n'};
constexpr int64_t kMaxSide = int64_t{1} << 20;    // patches, columns, tokens of a block
constexpr int64_t kMaxTokens = int64_t{1} << 32;
constexpr size_t kChecked = kEntryHeaderBytes - sizeof(uint64_t);

// Fields go through one function, so that reading and writing cannot differ: visit(field) for each in order.
template <typename Header, typename Visit>
void visit_fields(Header& header, Visit&& visit) {
  visit(header.identity);
  visit(header.key);
  visit(header.page);
  visit(header.parent);
  if (header.kind == EntryKind::kFeatures) {
    for (auto* field : {&header.features.grid_height, &header.features.grid_width, &header.features.merge_size,
                        &header.features.columns, &header.features.dtype}) {
      visit(*field);
    }
  } else {
    for (auto* field : {&header.kv.begin_tokens, &header.kv.end_tokens, &header.kv.next_position, &header.kv.block_tokens,
                        &header.kv.block_bytes}) {
      visit(*field);
    }
  }
  visit(header.payload_bytes);
  visit(header.payload_checksum);
}

bool within(int64_t value, int64_t low, int64_t high) { return value >= low && value <= high; }

// Every factor is bounded, so no product overflows.
Status check_features(const FeatureShape& shape, uint64_t payload_bytes) {
  const bool sizes = within(shape.merge_size, 1, 64) && within(shape.grid_height, 1, kMaxSide) && within(shape.grid_width, 1, kMaxSide) &&
                     within(shape.columns, 1, kMaxSide) && shape.grid_height % shape.merge_size == 0 &&
                     shape.grid_width % shape.merge_size == 0;
  const bool type = shape.dtype == static_cast<int64_t>(DType::kF32) || shape.dtype == static_cast<int64_t>(DType::kBF16) ||
                    shape.dtype == static_cast<int64_t>(DType::kF16);
  if (!sizes || !type) return refused("has features of a shape that cannot be");
  const auto tokens = static_cast<uint64_t>(shape.grid_height / shape.merge_size * (shape.grid_width / shape.merge_size));
  const uint64_t row = static_cast<uint64_t>(shape.columns) * size_of(static_cast<DType>(shape.dtype));
  if (tokens > kMaxEntryPayload / row || payload_bytes != tokens * row) return refused("has a size that does not agree with the shape of its features");
  return {};
}

Status check_kv(const KvSpan& span, uint64_t payload_bytes) {
  if (!within(span.begin_tokens, 0, kMaxTokens) || !within(span.end_tokens, span.begin_tokens + 1, kMaxTokens) ||
      !within(span.next_position, 0, kMaxTokens) || !within(span.block_tokens, 1, kMaxSide) ||
      !within(span.block_bytes, 1, static_cast<int64_t>(kMaxEntryPayload))) {
    return refused("has a span of tokens that cannot be");
  }
  const auto blocks = static_cast<uint64_t>(span.num_blocks()), block = static_cast<uint64_t>(span.block_bytes);
  if (blocks > kMaxEntryPayload / block || payload_bytes != blocks * block) return refused("has a size that does not agree with its blocks");
  return {};
}

}  // namespace

std::array<uint8_t, kEntryHeaderBytes> to_bytes(const EntryHeader& header) {
  std::array<uint8_t, kEntryHeaderBytes> bytes{};
  uint8_t* at = bytes.data();
  const auto put = [&at](const auto& value) {
    std::memcpy(at, &value, sizeof value);
    at += sizeof value;
  };
  put(kMagic);
  put(kEntryVersion);
  put(header.kind);
  visit_fields(header, put);
  put(checksum64(std::span(bytes).first(kChecked)));
  return bytes;
}

Result<EntryHeader> parse_entry_header(std::span<const uint8_t> bytes) {
  if (bytes.size() < kEntryHeaderBytes) return refused(fmt::format("has {} bytes, a header has {}", bytes.size(), kEntryHeaderBytes));
  if (!std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) return refused("is not a cache file");
  const uint8_t* at = bytes.data() + kMagic.size();
  const auto take = [&at](auto& value) {
    std::memcpy(&value, at, sizeof value);
    at += sizeof value;
  };
  uint32_t version = 0, kind = 0;
  take(version);
  take(kind);
  if (version != kEntryVersion) return refused(fmt::format("has version {}, this program writes {}", version, kEntryVersion));
  uint64_t checksum = 0;
  std::memcpy(&checksum, bytes.data() + kChecked, sizeof checksum);
  if (checksum != checksum64(bytes.first(kChecked))) return refused("has a damaged header");
  if (kind != static_cast<uint32_t>(EntryKind::kFeatures) && kind != static_cast<uint32_t>(EntryKind::kKv)) {
    return refused(fmt::format("is of kind {}, which there is none of", kind));
  }
  EntryHeader header;
  header.kind = static_cast<EntryKind>(kind);
  visit_fields(header, take);
  GLYPH_RETURN_IF_ERROR(header.kind == EntryKind::kFeatures ? check_features(header.features, header.payload_bytes)
                                                            : check_kv(header.kv, header.payload_bytes));
  return header;
}

}  // namespace glyph
