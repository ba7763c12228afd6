#include "cache/page_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

using testing::HasSubstr;

TEST(PageList, ComesBackAsItWas) {
  for (size_t count : {0u, 1u, 50u}) {
    std::vector<Digest> pages;
    for (size_t i = 0; i < count; ++i) pages.push_back(sha256(std::to_string(i)));
    const auto parsed = parse_page_list(page_list_text(pages));
    ASSERT_TRUE(parsed.ok()) << parsed.status().message();
    EXPECT_EQ(*parsed, pages);
  }
}

TEST(PageList, DamageIsRefused) {
  const std::string good = page_list_text({sha256("a"), sha256("b")});
  for (size_t i = 0; i < good.size(); ++i) {
    EXPECT_FALSE(parse_page_list(std::string_view(good).substr(0, i)).ok()) << i;
    std::string bad = good;
    bad[i] ^= 1;
    EXPECT_FALSE(parse_page_list(bad).ok()) << i;
  }
  EXPECT_FALSE(parse_page_list(good + "x").ok());
  EXPECT_THAT(parse_page_list("glyph pages 2\n").status().message(), HasSubstr("of this version"));
}

TEST(PageList, HasALimit) {
  const std::vector<Digest> pages(kMaxListedPages + 1);
  EXPECT_THAT(parse_page_list(page_list_text(pages)).status().message(), HasSubstr("more than 100000"));
}

TEST(PageList, HexIsExact) {
  Digest digest;
  EXPECT_TRUE(parse_hex(hex(sha256("x")), digest));
  EXPECT_EQ(digest, sha256("x"));
  EXPECT_FALSE(parse_hex(std::string(63, '0'), digest));
  EXPECT_FALSE(parse_hex(std::string(64, 'A'), digest));
}

}  // namespace
}  // namespace glyph
