#include "server/recent_sources.h"

#include <gtest/gtest.h>

#include <memory>

namespace glyph {
namespace {

SourcePtr source() { return std::make_shared<Source>(nullptr, PageStyle::english()); }
Digest key(const char* bytes) { return RecentSources::key_of("a.txt", bytes); }

TEST(RecentSourcesTest, NameAndContentDecide) {
  RecentSources recent;
  const SourcePtr one = source();
  recent.add(key("one"), one, 3);
  EXPECT_EQ(recent.find(key("one")), one);
  EXPECT_EQ(recent.find(key("two")), nullptr);
  EXPECT_EQ(recent.find(RecentSources::key_of("a.md", "one")), nullptr);
  EXPECT_EQ(recent.find(RecentSources::key_of("a.txto", "ne")), nullptr);
}

TEST(RecentSourcesTest, TheLeastRecentlyUsedGoes) {
  RecentSources recent(2, 100);
  recent.add(key("one"), source(), 1);
  recent.add(key("two"), source(), 1);
  EXPECT_TRUE(recent.find(key("one")));
  recent.add(key("three"), source(), 1);
  EXPECT_TRUE(recent.find(key("one")));
  EXPECT_FALSE(recent.find(key("two")));
  EXPECT_TRUE(recent.find(key("three")));
}

TEST(RecentSourcesTest, BytesHaveALimit) {
  RecentSources recent(10, 100);
  recent.add(key("one"), source(), 60);
  recent.add(key("two"), source(), 60);
  EXPECT_FALSE(recent.find(key("one")));
  EXPECT_TRUE(recent.find(key("two")));
  recent.add(key("large"), source(), 101);
  EXPECT_FALSE(recent.find(key("large")));
  EXPECT_TRUE(recent.find(key("two")));
}

TEST(RecentSourcesTest, TheSameFileTwiceIsKeptOnce) {
  RecentSources recent(10, 100);
  const SourcePtr first = source();
  for (int i = 0; i < 5; ++i) recent.add(key("one"), i == 0 ? first : source(), 60);
  EXPECT_EQ(recent.find(key("one")), first);
}

}  // namespace
}  // namespace glyph
