#include "cache/checksum.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace glyph {
namespace {

uint64_t of(std::string_view text) { return checksum64({reinterpret_cast<const uint8_t*>(text.data()), text.size()}); }

TEST(Checksum, IsXxh64) {  // published values
  EXPECT_EQ(of(""), 0xEF46DB3751D8E999u);
  EXPECT_EQ(of("a"), 0xD24EC4F1A98C6E5Bu);
  EXPECT_EQ(of("abc"), 0x44BC2CF5AD770999u);
  EXPECT_EQ(of("xxhash"), 0x32DD38952C4BC720u);
  EXPECT_EQ(of("Nobody inspects the spammish repetition"), 0xFBCEA83C8A378BF1u);
}

TEST(Checksum, EveryBitCounts) {
  for (const size_t size : {1u, 7u, 31u, 32u, 33u, 100u}) {
    std::vector<uint8_t> bytes(size, 0x5A);
    const uint64_t whole = checksum64(bytes);
    for (size_t bit = 0; bit < size * 8; ++bit) {
      bytes[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
      EXPECT_NE(checksum64(bytes), whole) << size << " bytes, bit " << bit;
      bytes[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
    }
  }
}

}  // namespace
}  // namespace glyph
