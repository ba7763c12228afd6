#include "cache/disk_index.h"

#include <gtest/gtest.h>

#include <random>

namespace glyph {
namespace {

class DiskIndexTest : public testing::Test {
 protected:
  void TearDown() override { EXPECT_TRUE(index_.check_integrity().ok()) << index_.check_integrity().message(); }

  static Digest page(char name) { return sha256(std::string("page ") + name); }
  static EntryId features(char name) { return {EntryKind::kFeatures, page(name)}; }
  static EntryId kv(const std::string& path) { return {EntryKind::kKv, sha256("prompt " + path)}; }
  static DiskIndex::Entry entry(const std::string& path, uint64_t bytes = 100) {
    return {page(path.back()), sha256("prompt " + path.substr(0, path.size() - 1)), path.size() == 1, bytes};
  }
  // Features and KV of every page, as reading a document leaves them: 200 bytes a page.
  void read(const std::string& owner, const std::string& pages, int64_t when) {
    std::vector<Digest> keys;
    for (const char name : pages) keys.push_back(page(name));
    index_.set_owner(owner, keys);
    index_.touch(owner, when);
    for (size_t i = 1; i <= pages.size(); ++i) {
      index_.put(features(pages[i - 1]), {page(pages[i - 1]), {}, false, 100});
      index_.put(kv(pages.substr(0, i)), entry(pages.substr(0, i)));
    }
  }
  DiskIndex index_{1000};
};

TEST_F(DiskIndexTest, HoldsOnlyWhatHasADocumentAndABeginning) {
  EXPECT_FALSE(index_.has_place(features('a'), entry("a")));
  index_.add_page("doc", page('a'));
  EXPECT_TRUE(index_.has_place(features('a'), entry("a")));
  EXPECT_TRUE(index_.has_place(kv("a"), entry("a")));
  EXPECT_FALSE(index_.has_place(kv("xa"), entry("xa")));
}

TEST_F(DiskIndexTest, AReplacedEntryCountsOnce) {
  read("doc", "a", 1);
  index_.put(kv("a"), entry("a", 300));
  EXPECT_EQ(index_.num_bytes(), 400u);
  EXPECT_EQ(index_.num_bytes(EntryKind::kKv), 300u);
}

TEST_F(DiskIndexTest, WhatIsDamagedTakesWithItWhatBuildsOnIt) {
  read("doc", "abc", 1);
  EXPECT_EQ(index_.erase(kv("b")).size(), 0u);
  EXPECT_EQ(index_.erase(kv("ab")).size(), 2u);
  EXPECT_TRUE(index_.contains(kv("a")));
  EXPECT_FALSE(index_.contains(kv("abc")));
  EXPECT_TRUE(index_.contains(features('c')));
}

TEST_F(DiskIndexTest, RoomIsMadeByTheDocumentThatWasNotUsedForLongest) {
  read("one", "ab", 1);
  read("two", "cd", 2);
  index_.touch("one", 3);
  EXPECT_TRUE(index_.make_room(200, "new").empty());
  EXPECT_EQ(index_.make_room(201, "new").size(), 4u);
  EXPECT_TRUE(index_.contains(kv("ab")));
  EXPECT_FALSE(index_.contains(features('c')));
  EXPECT_TRUE(index_.owners().is_owned(page('c')));  // it may be read again
  EXPECT_TRUE(index_.make_room(1001, "new").empty());  // would help nobody
  EXPECT_TRUE(index_.make_room(1000, "one").empty());
}

TEST_F(DiskIndexTest, AnEditedPageLeavesWhatBothEditionsHave) {
  read("first", "abc", 1);
  read("second", "axc", 2);
  EXPECT_EQ(index_.num_bytes(), 900u);  // features a b c x, KV a ab abc ax axc
  EXPECT_EQ(index_.remove_owner("first").size(), 3u);
  EXPECT_FALSE(index_.contains(features('b')));
  EXPECT_FALSE(index_.contains(kv("abc")));
  EXPECT_TRUE(index_.contains(kv("axc")));
  EXPECT_TRUE(index_.contains(features('c')));
  EXPECT_EQ(index_.remove_owner("second").size(), 6u);
  EXPECT_EQ(index_.num_bytes(), 0u);
}

TEST_F(DiskIndexTest, APromptGoesWithAnyOfItsDocuments) {
  read("one", "a", 1);
  read("two", "b", 2);
  index_.put(kv("ab"), entry("ab"));
  EXPECT_EQ(index_.remove_owner("one").size(), 3u);
  EXPECT_FALSE(index_.contains(kv("ab")));
  EXPECT_TRUE(index_.contains(kv("b")));
}

TEST_F(DiskIndexTest, HoldsTogetherUnderRandomUse) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    const std::string owner(1, static_cast<char>('A' + random() % 6));
    std::string pages;
    for (size_t i = 0, count = 1 + random() % 4; i < count; ++i) pages += static_cast<char>('a' + random() % 8);
    if (random() % 8 == 0) index_.remove_owner(owner);
    if (random() % 8 == 0) index_.erase(kv(pages));
    index_.touch(owner, round);
    for (size_t i = 1; i <= pages.size(); ++i) {
      index_.add_page(owner, page(pages[i - 1]));
      index_.make_room(100, owner);
      const std::string path = pages.substr(0, i);
      if (index_.fits(100) && index_.has_place(kv(path), entry(path))) index_.put(kv(path), entry(path));
    }
    ASSERT_TRUE(index_.check_integrity().ok()) << index_.check_integrity().message();
  }
  EXPECT_GT(index_.entries().size(), 0u);
}

}  // namespace
}  // namespace glyph
