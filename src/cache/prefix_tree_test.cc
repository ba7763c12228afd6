#include "cache/prefix_tree.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace glyph {
namespace {

const KvLayout kLayout{.num_layers = 1, .num_kv_heads = 1, .head_dim = 8, .block_tokens = 64, .dtype = DType::kF32};

class PrefixTreeTest : public testing::Test {
 protected:
  // Reads `pages` of 100 tokens after a head of 4, keeping what the tree takes.
  void read(PrefixTree& tree, const std::vector<Digest>& pages) {
    const PrefixTree::Match match = tree.find(head_, pages);
    KvCache cache = KvCache::from_blocks(pool_, match.blocks, match.num_tokens, match.next_position);
    for (size_t i = match.num_pages; i < pages.size(); ++i) {
      const int64_t count = i == 0 ? 104 : 100;
      ASSERT_TRUE(cache.reserve(count).ok());
      cache.commit(count, cache.next_position() + 10);
      tree.insert(head_, std::span(pages).first(i + 1), cache);
      ASSERT_TRUE(tree.check_integrity().ok()) << tree.check_integrity().message();
    }
  }
  static std::vector<Digest> pages(const std::string& names) {
    std::vector<Digest> keys;
    for (char c : names) keys.push_back(sha256(std::string(1, c)));
    return keys;
  }

  ReferenceDevice device_;
  KvBlockPool pool_{device_, kLayout};
  const Digest head_ = sha256("head");
};

TEST_F(PrefixTreeTest, FindsTheLongestBeginning) {
  PrefixTree tree(kLayout, size_t{1} << 30);
  read(tree, pages("abc"));
  const auto match = tree.find(head_, pages("abx"));
  EXPECT_EQ(match.num_pages, 2u);
  EXPECT_EQ(match.num_tokens, 204);
  EXPECT_EQ(match.next_position, 20);
  EXPECT_EQ(match.blocks.size(), 4u);
  EXPECT_EQ(tree.find(sha256("another head"), pages("abc")).num_pages, 0u);
  EXPECT_EQ(tree.find(head_, pages("b")).num_pages, 0u);
}

TEST_F(PrefixTreeTest, BranchesShareTheirBeginning) {
  PrefixTree tree(kLayout, size_t{1} << 30);
  read(tree, pages("abc"));
  const size_t bytes = tree.num_bytes();
  read(tree, pages("abd"));
  EXPECT_EQ(tree.num_nodes(), 4u);
  EXPECT_EQ(tree.num_bytes() - bytes, 2 * kLayout.block_bytes());  // tokens 204 to 304
  EXPECT_EQ(tree.find(head_, pages("abc")).num_pages, 3u);
  EXPECT_EQ(tree.find(head_, pages("abd")).num_pages, 3u);
}

TEST_F(PrefixTreeTest, DropsTheOldestLeafAndKeepsBlocksThatAreInUse) {
  PrefixTree tree(kLayout, 7 * kLayout.block_bytes());
  read(tree, pages("ab"));
  const auto held = tree.find(head_, pages("ab"));
  read(tree, pages("cd"));
  EXPECT_LT(tree.find(head_, pages("ab")).num_pages, 2u);
  EXPECT_EQ(tree.find(head_, pages("cd")).num_pages, 2u);
  for (const auto& block : held.blocks) EXPECT_NE(block, nullptr);
  tree.clear();
  EXPECT_EQ(pool_.num_blocks_in_use(), static_cast<int64_t>(held.blocks.size()));
}

TEST_F(PrefixTreeTest, TellsWhatMadeRoomLeavesFirst) {
  std::string told;
  PrefixTree* the_tree = nullptr;
  PrefixTree tree(kLayout, 7 * kLayout.block_bytes(), [&](const PrefixTree::Part& part) {
    for (char name : std::string("abcd")) {
      if (part.page == pages(std::string(1, name)).front()) told += name;
    }
    EXPECT_EQ(part.key, prefix_key(part.parent, part.page));
    EXPECT_EQ(part.blocks.size(), part.begin_tokens == 0 ? 2u : 3u);
    EXPECT_FALSE(the_tree->contains(part.key));
  });
  the_tree = &tree;
  read(tree, pages("ab"));
  read(tree, pages("cd"));
  EXPECT_EQ(told, "b");
  tree.make_room(7 * kLayout.block_bytes());
  EXPECT_EQ(told, "badc");
  read(tree, pages("ab"));
  tree.forget({pages("a").front()});
  tree.clear();
  EXPECT_EQ(told, "badc");  // what is forgotten made no room
}

TEST_F(PrefixTreeTest, HoldsTogetherUnderRandomUse) {
  std::mt19937 random(7);
  PrefixTree tree(kLayout, 12 * kLayout.block_bytes());
  for (int round = 0; round < 500; ++round) {
    std::string names;
    for (size_t i = 0, count = 1 + random() % 5; i < count; ++i) names += static_cast<char>('a' + random() % 3);
    read(tree, pages(names));
  }
  EXPECT_GT(tree.num_nodes(), 0u);
  tree.clear();
  EXPECT_EQ(pool_.num_blocks_in_use(), 0);
  EXPECT_TRUE(tree.check_integrity().ok());
}

}  // namespace
}  // namespace glyph
