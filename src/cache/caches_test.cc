#include "base/test_dir.h"
#include "cache/caches.h"
#include "cache/kv_bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

namespace glyph {
namespace {

namespace fs = std::filesystem;

const KvLayout kLayout{.num_layers = 2, .num_kv_heads = 2, .head_dim = 8, .block_tokens = 64, .dtype = DType::kF32};
constexpr size_t kMemory = size_t{1} << 24;

class CachesTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fresh_test_dir();
    open();
  }
  void TearDown() override {
    if (caches_ != nullptr) check();
  }

  void check() {
    caches_->write_all(10);
    Status status = caches_->check_integrity();
    if (status.ok()) status = caches_->check_files();
    EXPECT_TRUE(status.ok()) << status.message();
  }
  // As after a restart.
  void open(size_t memory = kMemory, size_t ram = 0) {
    if (caches_ != nullptr) check();
    caches_.reset();
    auto disk = DiskTier::open({dir_, uint64_t{1} << 24, sha256("model")});
    ASSERT_TRUE(disk.ok()) << disk.status().message();
    caches_ = std::make_unique<Caches>(pool_, CacheBudgets{memory, memory, ram}, *std::move(disk));
  }

  static std::vector<Digest> pages(const std::string& names) {
    std::vector<Digest> keys;
    for (char c : names) keys.push_back(sha256(std::string(1, c)));
    return keys;
  }
  // Reads what is not known, as a job does; pages of 100 tokens after a head of 4. Returns how many pages were known.
  size_t read(const std::string& names, const std::string& owner) {
    const std::vector<Digest> keys = pages(names);
    PrefixTree::Match match = find(names);
    const size_t known = match.num_pages;
    KvCache cache = KvCache::from_blocks(pool_, match.blocks, match.num_tokens, match.next_position);
    for (size_t i = known; i < keys.size(); ++i) {
      const int64_t count = i == 0 ? 104 : 100;
      EXPECT_TRUE(cache.reserve(count).ok());
      for (int64_t token = cache.num_tokens(); token < cache.num_tokens() + count; ++token) write(cache, token, names[i]);
      cache.commit(count, cache.next_position() + 10);
      caches_->add_page(owner, keys[i]);
      caches_->insert_prefix(head_, std::span(keys).first(i + 1), cache, owner);
    }
    caches_->set_owner(owner, keys);
    return known;
  }
  PrefixTree::Match find(const std::string& names) {
    const std::vector<Digest> keys = pages(names);
    PrefixTree::Match match = caches_->find_prefix(head_, keys);
    while (match.num_pages < keys.size() && caches_->extend_prefix(head_, std::span(keys).first(match.num_pages + 1), match)) {
    }
    return match;
  }
  // Keys and values of a token, in the layout of the host.
  static void write(KvCache& cache, int64_t token, char value) {
    for (int64_t index = 0; index < kLayout.num_layers; ++index) {
      const ops::KvLayer layer = cache.layer(index);
      auto* block = static_cast<uint8_t*>(layer.blocks[static_cast<size_t>(token / 64)]);
      for (int64_t row = 0; row < 2 * 8; ++row) {
        reinterpret_cast<float*>(block + layer.key_offset)[row * 64 + token % 64] = static_cast<float>(value + row);
        reinterpret_cast<float*>(block + layer.value_offset)[(row / 8 * 64 + token % 64) * 8 + row % 8] = static_cast<float>(value - row);
      }
    }
  }
  // What two caches hold of their common tokens.
  static bool same(const PrefixTree::Match& a, const PrefixTree::Match& b) {
    if (a.num_tokens != b.num_tokens || a.next_position != b.next_position || a.blocks.size() != b.blocks.size()) return false;
    for (size_t i = 0; i < a.blocks.size(); ++i) {
      const int64_t tokens = std::min<int64_t>(64, a.num_tokens - static_cast<int64_t>(i) * 64);
      const auto* x = static_cast<const float*>(a.blocks[i]->memory.get());
      const auto* y = static_cast<const float*>(b.blocks[i]->memory.get());
      for (int64_t half = 0; half < 4; ++half) {
        for (int64_t row = 0; row < 16; ++row) {
          for (int64_t token = 0; token < tokens; ++token) {
            const int64_t at = half * 1024 + (half % 2 == 0 ? row * 64 + token : (row / 8 * 64 + token) * 8 + row % 8);
            if (x[at] != y[at]) return false;
          }
        }
      }
    }
    return true;
  }
  FeaturesPtr features(float value, int64_t tokens = 6) {
    auto made = std::make_shared<PageFeatures>();
    made->grid = {4, tokens};
    made->values = Tensor(device_, DType::kF32, {tokens, 16});
    std::fill_n(made->values.data<float>(), tokens * 16, value);
    return made;
  }

  ReferenceDevice device_;
  KvBlockPool pool_{device_, kLayout};
  const Digest head_ = sha256("head");
  fs::path dir_;
  std::unique_ptr<Caches> caches_;
};

TEST_F(CachesTest, KvComesBackFromDiskAsItWas) {
  EXPECT_EQ(read("abc", "doc"), 0u);
  const PrefixTree::Match before = find("abc");
  open();
  const PrefixTree::Match after = find("abcd");
  EXPECT_EQ(after.num_pages, 3u);
  EXPECT_TRUE(same(before, after));
  EXPECT_EQ(caches_->stats().disk_kv.hits, 3u);
  EXPECT_EQ(caches_->stats().disk_kv.misses, 1u);
  EXPECT_EQ(caches_->find_prefix(head_, pages("abc")).num_pages, 3u);  // in memory again
  EXPECT_EQ(caches_->find_prefix(sha256("other head"), pages("abc")).num_pages, 0u);
}

TEST_F(CachesTest, FeaturesComeBackFromDiskAsTheyWere) {
  caches_->insert_features(sha256("a"), features(1.5f), "doc");
  open();
  const FeaturesPtr found = caches_->find_features(sha256("a"));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->grid, (ops::PatchGrid{4, 6}));
  EXPECT_EQ(found->num_tokens(), 6);
  EXPECT_EQ(found->values.data<float>()[95], 1.5f);
  EXPECT_EQ(caches_->find_features(sha256("b")), nullptr);
  caches_->find_features(sha256("a"));
  EXPECT_EQ(caches_->stats().disk_features.hits, 1u);
  EXPECT_EQ(caches_->stats().memory_features.hits, 1u);
}

TEST_F(CachesTest, ReadingGoesOnWhereTheDiskEnds) {
  read("ab", "doc");
  open();
  EXPECT_EQ(read("abcd", "longer"), 2u);
  open();
  EXPECT_EQ(find("abcd").num_pages, 4u);
}

TEST_F(CachesTest, WhatBelongsToNoDocumentStaysInMemory) {
  read("ab", "");
  caches_->insert_features(sha256("a"), features(1), "");
  EXPECT_EQ(find("ab").num_pages, 2u);
  open();
  EXPECT_EQ(find("ab").num_pages, 0u);
  EXPECT_EQ(caches_->find_features(sha256("a")), nullptr);
}

TEST_F(CachesTest, WhatMemoryDropsTheDiskStillHas) {
  open(20 * kLayout.block_bytes());
  read("abcdefgh", "one");
  caches_->write_all(10);
  read("ijklmnop", "two");
  EXPECT_LT(caches_->find_prefix(head_, pages("abcdefgh")).num_pages, 8u);
  caches_->write_all(10);
  ASSERT_TRUE(caches_->check_files().ok());
  EXPECT_EQ(find("abcdefgh").num_pages, 8u);
  EXPECT_LE(caches_->stats().memory_kv_bytes, 20 * kLayout.block_bytes());
}

TEST_F(CachesTest, ADamagedPageEndsTheMatchBeforeIt) {
  read("abc", "doc");
  open();
  const Digest second = prefix_key(prefix_key(head_, sha256("a")), sha256("b"));
  std::fstream file(dir_ / "kv" / hex(second), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(5000);
  file.put('x');
  file.close();
  EXPECT_EQ(read("abc", "doc"), 1u);
  EXPECT_EQ(caches_->stats().disk.num_damaged, 1u);
  open();
  EXPECT_EQ(find("abc").num_pages, 3u);
}

TEST_F(CachesTest, ADeletedDocumentLeavesMemoryAndDisk) {
  read("abc", "first");
  read("axc", "second");
  caches_->insert_features(sha256("b"), features(1), "first");
  caches_->insert_features(sha256("c"), features(2), "second");
  caches_->forget("first");
  check();  // the disk forgets on its own thread, and may be asked before
  EXPECT_EQ(find("abc").num_pages, 1u);
  EXPECT_EQ(find("axc").num_pages, 3u);
  EXPECT_EQ(caches_->find_features(sha256("b")), nullptr);
  EXPECT_NE(caches_->find_features(sha256("c")), nullptr);
  caches_->forget("second");
  check();
  EXPECT_EQ(find("axc").num_pages, 0u);
  EXPECT_EQ(pool_.num_blocks_in_use(), 0);
  EXPECT_EQ(caches_->stats().disk.num_entries, 0u);
}

// RAM for all that memory drops.
TEST_F(CachesTest, WhatMemoryDropsComesBackFromRamAsItWas) {
  open(8 * kLayout.block_bytes(), kMemory);
  read("abc", "");
  caches_->insert_features(sha256("a"), features(1.5f, 1600), "");
  const PrefixTree::Match before = find("abc");
  read("xyz", "");
  caches_->insert_features(sha256("x"), features(2.5f, 1600), "");
  EXPECT_LT(caches_->find_prefix(head_, pages("abc")).num_pages, 3u);
  const PrefixTree::Match after = find("abc");
  EXPECT_EQ(after.num_pages, 3u);
  EXPECT_TRUE(same(before, after));
  const FeaturesPtr found = caches_->find_features(sha256("a"));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->grid, (ops::PatchGrid{4, 1600}));
  EXPECT_EQ(found->values.data<float>()[1600 * 16 - 1], 1.5f);
  const CacheStats stats = caches_->stats();
  EXPECT_GT(stats.ram_kv.hits, 0u);
  EXPECT_EQ(stats.ram_features.hits, 1u);
  EXPECT_GT(stats.memory_kv.evictions, 0u);
  EXPECT_EQ(stats.memory_features.evictions, 2u);
  EXPECT_GT(stats.ram_kv_bytes, 0u);
  EXPECT_GT(stats.ram_feature_bytes, 2 * 1600 * 64u);
  EXPECT_EQ(stats.disk.num_entries, 0u);  // nobody's
}

TEST_F(CachesTest, RamHasABudgetOfItsOwn) {
  open(8 * kLayout.block_bytes(), 12 * kLayout.block_bytes());  // 3 and 4 pages
  for (const char* names : {"abc", "def", "ghi", "jkl", "mno"}) read(names, "");
  EXPECT_EQ(find("abc").num_pages, 0u);
  EXPECT_EQ(find("jkl").num_pages, 3u);
  const CacheStats stats = caches_->stats();
  EXPECT_LE(stats.ram_kv_bytes, 12 * kLayout.block_bytes());
  EXPECT_GT(stats.ram_kv.evictions, 0u);
}

// The tree holds three pages.
TEST_F(CachesTest, ADocumentMayBeLongerThanTheTree) {
  open(8 * kLayout.block_bytes(), kMemory);
  EXPECT_EQ(read("abcdefgh", "doc"), 0u);
  EXPECT_EQ(read("abcdefgh", "doc"), 8u);
  EXPECT_EQ(read("abcdefgx", "doc"), 7u);
  check();
  EXPECT_EQ(caches_->stats().disk.num_entries, 8u);
  open(8 * kLayout.block_bytes(), kMemory);
  EXPECT_EQ(read("abcdefgx", "doc"), 8u);
  EXPECT_EQ(caches_->stats().disk_kv.hits, 8u);
  EXPECT_EQ(read("abcdefgx", "doc"), 8u);
  EXPECT_EQ(caches_->stats().disk_kv.hits, 8u);
}

TEST_F(CachesTest, ADeletedDocumentLeavesRam) {
  open(5 * kLayout.block_bytes(), kMemory);
  read("abc", "first");
  read("axc", "second");
  read("yz", "");
  caches_->insert_features(sha256("b"), features(1, 1000), "first");
  caches_->insert_features(sha256("y"), features(1, 1000), "");
  check();
  caches_->forget("first");
  check();
  EXPECT_EQ(find("abc").num_pages, 1u);
  EXPECT_EQ(caches_->find_features(sha256("b")), nullptr);
  EXPECT_EQ(find("axc").num_pages, 3u);
  caches_->set_owner("second", pages("z"));
  check();
  EXPECT_EQ(find("axc").num_pages, 0u);
}

// What waits for the disk is written from wherever it is.
TEST_F(CachesTest, TheDiskGetsWhatRamHas) {
  open(5 * kLayout.block_bytes(), kMemory);
  {
    KvCache secret(pool_);
    ASSERT_TRUE(secret.reserve(512).ok());
    for (int64_t token = 0; token < 512; ++token) write(secret, token, 'S');
  }
  read("ab", "");
  caches_->insert_features(sha256("a"), features(3, 1000), "");
  const PrefixTree::Match before = find("ab");
  read("yz", "");
  caches_->insert_features(sha256("y"), features(4, 1000), "");
  Digest key = head_;
  for (const Digest& page : pages("ab")) {
    key = prefix_key(key, page);
    caches_->add_page("doc", page);
    caches_->keep_stored(page, key, "doc");
  }
  open();
  const PrefixTree::Match after = find("ab");
  EXPECT_TRUE(same(before, after));
  EXPECT_EQ(caches_->stats().disk_kv.hits, 2u);
  const auto* last = static_cast<const float*>(after.blocks.back()->memory.get());
  size_t filled = 0;
  for (size_t i = 0; i < kLayout.block_bytes() / sizeof(float); ++i) filled += last[i] != 0;
  EXPECT_EQ(filled, (204u - 192u) * 2 * 2 * 16);
  const FeaturesPtr found = caches_->find_features(sha256("a"));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->values.data<float>()[1000 * 16 - 1], 3);
}

TEST_F(CachesTest, ADeviceThatGoesTakesRamAlong) {
  open(5 * kLayout.block_bytes(), kMemory);
  read("ab", "doc");
  read("cd", "");
  EXPECT_GT(caches_->stats().ram_kv_bytes, 0u);
  check();
  caches_->drop_memory();
  EXPECT_EQ(caches_->stats().ram_kv_bytes, 0u);
  KvBlockPool next(device_, kLayout);
  caches_->use(next);
  EXPECT_EQ(find("ab").num_pages, 2u);  // from the disk
  EXPECT_EQ(find("cd").num_pages, 0u);
  read("cd", "");
  EXPECT_GT(caches_->stats().ram_kv_bytes, 0u);
  check();
  caches_.reset();
}

// Of a page that the device dropped, too, and while the device goes.
TEST_F(CachesTest, OtherThreadsMayAskWhatIsHeld) {
  open(5 * kLayout.block_bytes(), kMemory);
  const Digest page = pages("a")[0], prefix = prefix_key(head_, page);
  EXPECT_FALSE(caches_->holds_kv(prefix));
  read("ab", "");
  caches_->insert_features(page, features(1), "");
  read("cd", "");
  caches_->insert_features(sha256("c"), features(2, 18), "");
  EXPECT_LT(caches_->find_prefix(head_, pages("ab")).num_pages, 2u);
  EXPECT_TRUE(caches_->holds_kv(prefix_key(prefix, pages("b")[0])));
  EXPECT_TRUE(caches_->holds_features(page));

  std::atomic<bool> done = false;
  std::atomic<int> asked = 0;
  std::thread asking([&] {
    for (; !done; ++asked) (void)(caches_->holds_kv(prefix) && caches_->holds_features(page));
  });
  while (asked == 0) std::this_thread::yield();
  KvBlockPool next(device_, kLayout);
  for (int i = 0; i < 20; ++i) {
    caches_->drop_memory();
    caches_->use(i % 2 == 0 ? next : pool_);
    if (i % 2 == 1) read("abcd", "");
  }
  caches_->drop_memory();
  done = true;
  asking.join();
  EXPECT_FALSE(caches_->holds_kv(prefix));
  EXPECT_FALSE(caches_->holds_features(page));
  caches_.reset();
}

TEST_F(CachesTest, AllTiersHoldTogetherUnderRandomUse) {
  std::mt19937 engine(7);
  const auto random = [&](uint32_t below) { return static_cast<uint32_t>(engine() % below); };
  open(9 * kLayout.block_bytes(), 14 * kLayout.block_bytes());
  for (int round = 0; round < 300; ++round) {
    std::string names;
    for (uint32_t i = 0, count = 1 + random(6); i < count; ++i) names += static_cast<char>('a' + random(3));
    const std::string owner(random(2), static_cast<char>('A' + random(3)));
    if (random(10) == 0) caches_->forget(owner);
    read(names, owner);
    caches_->insert_features(pages(names).back(), features(1, 2 * (1 + random(500))), owner);
    const Status status = caches_->check_integrity();
    ASSERT_TRUE(status.ok()) << status.message();
  }
  EXPECT_GT(caches_->stats().ram_kv.hits, 0u);
  EXPECT_GT(caches_->stats().ram_kv.evictions, 0u);
}

// The positions of a block that the page does not fill may hold another document's keys and values.
TEST_F(CachesTest, NothingBehindThePageIsWritten) {
  {
    KvCache secret(pool_);
    ASSERT_TRUE(secret.reserve(128).ok());
    for (int64_t token = 0; token < 128; ++token) write(secret, token, 'S');
  }
  read("a", "doc");  // 104 tokens in the same memory
  open();
  const PrefixTree::Match match = find("a");
  ASSERT_EQ(match.blocks.size(), 2u);
  const auto* last = static_cast<const float*>(match.blocks[1]->memory.get());
  size_t filled = 0;
  for (size_t i = 0; i < kLayout.block_bytes() / sizeof(float); ++i) filled += last[i] != 0;
  EXPECT_EQ(filled, 40u * 2 * 2 * 16);
}

TEST(KvBytes, PositionsBehindTheEndAreZeros) {
  for (const DType type : {DType::kF32, DType::kBF16, DType::kE4M3}) {
    KvLayout layout = kLayout;
    layout.dtype = type;
    KvBlockPool pool(host_device(), layout);
    const KvBlockPool::BlockPtr block = pool.allocate().value();
    std::memset(block->memory.get(), 1, layout.block_bytes());
    std::vector<uint8_t> bytes(layout.block_bytes());
    download_blocks(pool, std::span(&block, 1), bytes);
    clear_behind(pool, 10, bytes);
    EXPECT_EQ(static_cast<size_t>(std::count(bytes.begin(), bytes.end(), 1)), 10 * layout.token_bytes()) << name_of(type);
    const std::vector<KvBlockPool::BlockPtr> restored = allocate_blocks(pool, 1).value();
    upload_blocks(pool, bytes, restored);
    EXPECT_EQ(std::memcmp(restored[0]->memory.get(), bytes.data(), bytes.size()), 0);
  }
}

TEST_F(CachesTest, WithoutADiskOrABudgetNothingIsKept) {
  Caches none(kLayout);
  none.insert_features(sha256("a"), features(1), "doc");
  EXPECT_EQ(none.find_features(sha256("a")), nullptr);
  EXPECT_FALSE(none.write_one());
  EXPECT_TRUE(none.check_integrity().ok());
  EXPECT_TRUE(none.check_files().ok());
}

}  // namespace
}  // namespace glyph
