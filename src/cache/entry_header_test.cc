#include "cache/entry_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "cache/checksum.h"
#include "tensor/dtype.h"

namespace glyph {
namespace {

using testing::HasSubstr;

EntryHeader features_header() {
  EntryHeader header;
  header.kind = EntryKind::kFeatures;
  header.identity = sha256("model");
  header.key = header.page = sha256("page");
  header.features = {.grid_height = 60, .grid_width = 42, .merge_size = 2, .columns = 512, .dtype = static_cast<int64_t>(DType::kBF16)};
  header.payload_bytes = 30 * 21 * 512 * 2;
  header.payload_checksum = 7;
  return header;
}

EntryHeader kv_header() {
  EntryHeader header;
  header.kind = EntryKind::kKv;
  header.key = sha256("key");
  header.parent = sha256("parent");
  header.kv = {.begin_tokens = 100, .end_tokens = 300, .next_position = 40, .block_tokens = 64, .block_bytes = 4096};
  header.payload_bytes = 4 * 4096;
  return header;
}

std::vector<uint8_t> bytes_of(const EntryHeader& header) {
  const auto bytes = to_bytes(header);
  return {bytes.begin(), bytes.end()};
}

void expect_refused(const std::vector<uint8_t>& bytes, const std::string& words) {
  const auto header = parse_entry_header(bytes);
  ASSERT_FALSE(header.ok()) << words;
  EXPECT_EQ(header.status().code(), StatusCode::kRefused);
  EXPECT_THAT(header.status().message(), HasSubstr(words));
}

TEST(EntryHeader, ComesBackAsItWas) {
  for (const EntryHeader& header : {features_header(), kv_header()}) {
    const auto parsed = parse_entry_header(bytes_of(header));
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_EQ(parsed->kind, header.kind);
    EXPECT_EQ(parsed->key, header.key);
    EXPECT_EQ(parsed->parent, header.parent);
    EXPECT_EQ(parsed->payload_bytes, header.payload_bytes);
    EXPECT_EQ(bytes_of(*parsed), bytes_of(header));
  }
}

TEST(EntryHeader, FeaturesMayBeOfEveryTypeAModelComputesIn) {
  for (const DType type : {DType::kBF16, DType::kF16, DType::kF32}) {
    EntryHeader header = features_header();
    header.features.dtype = static_cast<int64_t>(type);
    header.payload_bytes = 30 * 21 * 512 * size_of(type);
    EXPECT_TRUE(parse_entry_header(bytes_of(header)).ok()) << name_of(type);
  }
}

TEST(EntryHeader, AFlippedBitIsRefused) {
  const std::vector<uint8_t> good = bytes_of(kv_header());
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::vector<uint8_t> bad = good;
    bad[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    EXPECT_FALSE(parse_entry_header(bad).ok()) << "bit " << bit;
  }
}

TEST(EntryHeader, SaysWhatIsWrong) {
  const std::vector<uint8_t> good = bytes_of(kv_header());
  expect_refused({}, "has 0 bytes");
  expect_refused({good.begin(), good.end() - 1}, "has 207 bytes");
  expect_refused(std::vector<uint8_t>(kEntryHeaderBytes), "not a cache file");
  std::vector<uint8_t> version = good;
  version[8] = 9;
  expect_refused(version, "has version 9");
}

// Sizes that a checksum does not protect against: made, not damaged.
TEST(EntryHeader, SizesThatCannotBeAreRefused) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  for (const int64_t bad : {int64_t{0}, int64_t{-1}, kHuge}) {
    for (int64_t FeatureShape::* field : {&FeatureShape::grid_height, &FeatureShape::grid_width, &FeatureShape::merge_size,
                                          &FeatureShape::columns}) {
      EntryHeader header = features_header();
      header.features.*field = bad;
      expect_refused(bytes_of(header), "cannot be");
    }
    for (int64_t KvSpan::* field : {&KvSpan::end_tokens, &KvSpan::block_tokens, &KvSpan::block_bytes}) {
      EntryHeader header = kv_header();
      header.kv.*field = bad;
      expect_refused(bytes_of(header), "cannot be");
    }
  }
  EntryHeader header = features_header();
  header.features.dtype = static_cast<int64_t>(DType::kI32);
  expect_refused(bytes_of(header), "cannot be");
  header = features_header();
  --header.payload_bytes;
  expect_refused(bytes_of(header), "does not agree");
  header = kv_header();
  header.kv.begin_tokens = -1;
  expect_refused(bytes_of(header), "cannot be");
  header = kv_header();
  header.kv.block_bytes = int64_t{1} << 36;
  expect_refused(bytes_of(header), "does not agree");
}

}  // namespace
}  // namespace glyph
