#include "cache/ram_tier.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include "cache/kv_bytes.h"
#include "cache/prefix_tree.h"

namespace glyph {
namespace {

constexpr size_t kMany = size_t{1} << 20;

// Plain memory that fails as a GPU and its driver do.
struct Faults {
  bool copies_fail = false;
  size_t pinned_bytes = kMany;  // that can be had
};

class PinnedHost : public ReferenceDevice {
 public:
  explicit PinnedHost(Faults& faults) : faults_(faults) {}

 protected:
  void* allocate_bytes(size_t num_bytes) override {
    if (num_bytes > faults_.pinned_bytes) return nullptr;
    faults_.pinned_bytes -= num_bytes;
    return ReferenceDevice::allocate_bytes(num_bytes);
  }

 private:
  Faults& faults_;
};

// Does nothing before somebody waits for it.
class FakeGpu : public ReferenceDevice {
 public:
  explicit FakeGpu(Faults& faults) : faults_(faults) {}
  std::unique_ptr<Device> pinned_host() override { return std::make_unique<PinnedHost>(faults_); }
  void copy_bytes(void* to, const void* from, size_t num_bytes) override {
    queued_.push_back([=] { std::memcpy(to, from, num_bytes); });
  }
  void upload(void* to, const void* from, size_t num_bytes) override {
    const auto* bytes = static_cast<const uint8_t*>(from);
    queued_.push_back([to, copy = std::vector<uint8_t>(bytes, bytes + num_bytes)] { std::memcpy(to, copy.data(), copy.size()); });
  }
  void download(void* to, const void* from, size_t num_bytes) override {
    finish();
    std::memcpy(to, from, num_bytes);
  }
  bool queue_download(void* to, const void* from, size_t num_bytes) override {
    return !faults_.copies_fail && ReferenceDevice::queue_download(to, from, num_bytes);
  }
  bool queue_upload(void* to, const void* from, size_t num_bytes) override {
    return !faults_.copies_fail && ReferenceDevice::queue_upload(to, from, num_bytes);
  }
  std::unique_ptr<DeviceMark> mark() override { return std::make_unique<Mark>(*this); }

 private:
  class Mark : public DeviceMark {
   public:
    explicit Mark(FakeGpu& gpu) : gpu_(gpu) {}
    void wait() override { gpu_.finish(); }
    double ms_since(DeviceMark&) override { return 0; }

   private:
    FakeGpu& gpu_;
  };
  void finish() {
    for (const auto& work : queued_) work();
    queued_.clear();
  }

  Faults& faults_;
  std::vector<std::function<void()>> queued_;
};

class RamTierTest : public testing::TestWithParam<int> {
 protected:
  RamTierTest() : pool_(devices(), layout()) {}
  static KvLayout layout() { return {.num_layers = 1, .num_kv_heads = 1, .head_dim = 8, .dtype = DType::kF32, .num_ranks = GetParam()}; }
  std::vector<Device*> devices() {
    for (int rank = 0; rank < GetParam(); ++rank) gpus_.push_back(std::make_unique<FakeGpu>(faults_));
    std::vector<Device*> devices;
    for (const auto& gpu : gpus_) devices.push_back(gpu.get());
    return devices;
  }

  // The end of `names` as a page of two blocks, filled with what depends on it.
  struct Kv {
    EntryHeader header;
    std::vector<KvBlockPool::BlockPtr> blocks;
  };
  Kv kv(const std::string& names) {
    Kv made{.header = {}, .blocks = allocate_blocks(pool_, 2).value()};
    EntryHeader& header = made.header;
    header.kind = EntryKind::kKv;
    header.key = key_of(names);
    header.parent = key_of(names.substr(0, names.size() - 1));
    header.page = page_of(names.back());
    const auto end = static_cast<int64_t>(names.size()) * 100;
    header.kv = {end - 100, end, end / 10, layout().block_tokens, static_cast<int64_t>(layout().all_block_bytes())};
    header.payload_bytes = 2 * layout().all_block_bytes();
    upload_blocks(pool_, bytes_of(names, header.payload_bytes), made.blocks);
    return made;
  }
  static std::vector<uint8_t> bytes_of(const std::string& names, size_t count) {
    std::mt19937 random(static_cast<uint32_t>(names.back() + 256 * names.size()));
    std::vector<uint8_t> bytes(count);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    return bytes;
  }
  static Digest page_of(char name) { return sha256(std::string(1, name)); }
  static Digest key_of(const std::string& names) {
    Digest key = sha256("head");
    for (char name : names) key = prefix_key(key, page_of(name));
    return key;
  }
  static EntryId id(const std::string& names) { return {EntryKind::kKv, key_of(names)}; }
  static EntryHeader features(char name, size_t num_bytes) {
    EntryHeader header;
    header.key = header.page = page_of(name);
    header.payload_bytes = num_bytes;
    return header;
  }

  bool put(const std::string& names) {
    const Kv page = kv(names);
    const bool kept = ram_->put(page.header, {.blocks = page.blocks});
    check();
    return kept;
  }
  void open(size_t max_blocks) {
    ram_ = std::make_unique<RamTier>(pool_, max_blocks * layout().all_block_bytes(), [this](EntryKind) { ++num_evicted_; });
  }
  void check() {
    const Status status = ram_->check_integrity([this](const Digest& key) { return on_device_.contains(key); });
    EXPECT_TRUE(status.ok()) << status.message();
  }
  void forget(const std::string& names) {
    std::set<Digest> pages;
    for (char name : names) pages.insert(page_of(name));
    ram_->forget(pages, [this](const Digest& key) { return on_device_.contains(key); });
    check();
  }

  Faults faults_;
  std::vector<std::unique_ptr<Device>> gpus_;
  KvBlockPool pool_;
  std::set<Digest> on_device_;
  int num_evicted_ = 0;
  std::unique_ptr<RamTier> ram_;
};

TEST_P(RamTierTest, KvComesBackAsItWas) {
  open(8);
  EXPECT_TRUE(put("a"));
  EXPECT_TRUE(put("ab"));
  for (const std::string names : {"a", "ab"}) {
    const RamTier::EntryPtr found = ram_->find(id(names));
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->header.kv.end_tokens, std::ssize(names) * 100);
    const auto blocks = allocate_blocks(pool_, 2).value();
    ASSERT_TRUE(ram_->copy_to(*found, {.blocks = blocks}));
    std::vector<uint8_t> restored(found->header.payload_bytes), read(restored.size());
    download_blocks(pool_, blocks, restored);
    ram_->read(*found, read);
    EXPECT_EQ(restored, bytes_of(names, restored.size()));
    EXPECT_EQ(read, restored);
  }
  EXPECT_EQ(ram_->find(id("b")), nullptr);
  EXPECT_EQ(ram_->num_bytes(EntryKind::kKv), 4 * layout().all_block_bytes());
}

TEST_P(RamTierTest, FeaturesComeBackAsTheyWere) {
  open(64);
  const size_t block = layout().block_bytes();
  for (const size_t size : {size_t{4}, block - 4, block, block + 4, 3 * block + 64}) {
    const char name = static_cast<char>('a' + size % 7);
    std::vector<uint8_t> values = bytes_of(std::string(1, name), size), restored(size), read(size);
    ASSERT_TRUE(ram_->put(features(name, size), {.features = values.data()}));
    RamTier::EntryPtr found = ram_->find({EntryKind::kFeatures, page_of(name)});
    ASSERT_NE(found, nullptr);
    EXPECT_TRUE(ram_->copy_to(*found, {.features = restored.data()}));
    ram_->read(*found, read);
    EXPECT_EQ(restored, values);
    EXPECT_EQ(read, values);
    found.reset();
    forget(std::string(1, name));
  }
  EXPECT_EQ(ram_->num_bytes(EntryKind::kFeatures), 0u);
}

// No copy has happened when memory is used again, on the device and here.
TEST_P(RamTierTest, TheOrderOfTheWorkIsAllItNeeds) {
  open(4);
  std::vector<std::pair<std::string, std::vector<KvBlockPool::BlockPtr>>> restored;
  for (const std::string names : {"a", "b", "c", "d", "e", "f"}) {
    EXPECT_TRUE(put(names));  // into what the page before the last had, from what the last had
    const auto blocks = allocate_blocks(pool_, 2).value();
    EXPECT_TRUE(ram_->copy_to(*ram_->find(id(names)), {.blocks = blocks}));
    restored.emplace_back(names, blocks);
  }
  for (const auto& [names, blocks] : restored) {
    std::vector<uint8_t> bytes(2 * layout().all_block_bytes());
    download_blocks(pool_, blocks, bytes);
    EXPECT_EQ(bytes, bytes_of(names, bytes.size())) << names;
  }
}

TEST_P(RamTierTest, DropsTheLeastRecentlyUsed) {
  open(6);
  for (const char* names : {"a", "b", "c"}) EXPECT_TRUE(put(names));
  EXPECT_NE(ram_->find(id("a")), nullptr);
  EXPECT_TRUE(put("d"));
  EXPECT_NE(ram_->peek(id("a")), nullptr);
  EXPECT_EQ(ram_->peek(id("b")), nullptr);
  EXPECT_TRUE(put("c"));  // is there, and was used now
  EXPECT_TRUE(put("e"));
  EXPECT_EQ(ram_->peek(id("a")), nullptr);
  EXPECT_NE(ram_->peek(id("c")), nullptr);
  EXPECT_EQ(num_evicted_, 2);
}

TEST_P(RamTierTest, APageLeavesBeforeThePageBeforeIt) {
  open(6);
  on_device_ = {key_of("a")};
  for (const char* names : {"ab", "a", "c"}) EXPECT_TRUE(put(names));  // a tree drops its leaves first
  on_device_.clear();
  EXPECT_NE(ram_->find(id("ab")), nullptr);
  EXPECT_TRUE(put("d"));
  EXPECT_EQ(ram_->peek(id("c")), nullptr);
  EXPECT_TRUE(put("e"));
  EXPECT_EQ(ram_->peek(id("ab")), nullptr);
  EXPECT_NE(ram_->peek(id("a")), nullptr);
}

TEST_P(RamTierTest, AnEntryThatIsInUseKeepsItsMemory) {
  open(2);
  EXPECT_TRUE(put("a"));
  RamTier::EntryPtr held = ram_->find(id("a"));
  const Kv other = kv("b");
  EXPECT_FALSE(ram_->put(other.header, {.blocks = other.blocks}));
  std::vector<uint8_t> bytes(held->header.payload_bytes);
  ram_->read(*held, bytes);
  EXPECT_EQ(bytes, bytes_of("a", bytes.size()));
  held.reset();
  EXPECT_TRUE(put("b"));
}

TEST_P(RamTierTest, WhatIsLargerThanAllOfItLeavesTheOthersAlone) {
  open(3);
  EXPECT_TRUE(put("a"));
  std::vector<uint8_t> values(4 * layout().block_bytes());
  EXPECT_FALSE(ram_->put(features('f', values.size()), {.features = values.data()}));
  EXPECT_NE(ram_->peek(id("a")), nullptr);
  check();
}

TEST_P(RamTierTest, ForgetsAPageWithAllThatWasReadAfterIt) {
  open(32);
  for (const char* names : {"a", "ax", "axc", "b", "bc", "bcd"}) EXPECT_TRUE(put(names));
  forget("x");
  EXPECT_NE(ram_->peek(id("a")), nullptr);
  EXPECT_EQ(ram_->peek(id("ax")), nullptr);
  EXPECT_EQ(ram_->peek(id("axc")), nullptr);
  EXPECT_NE(ram_->peek(id("bcd")), nullptr);
  on_device_ = {key_of("a"), key_of("ay")};
  EXPECT_TRUE(put("ayc"));
  on_device_.clear();  // the tree forgot y
  forget("y");
  EXPECT_EQ(ram_->peek(id("ayc")), nullptr);
  EXPECT_NE(ram_->peek(id("bcd")), nullptr);
}

TEST_P(RamTierTest, WithoutMoreMemoryItStaysAsLargeAsItIs) {
  KvLayout large = layout();
  large.head_dim = 8 * 4200;  // a slab holds one block
  const size_t block = large.all_block_bytes();
  faults_.pinned_bytes = 2 * block;
  std::vector<Device*> devices;
  for (const auto& gpu : gpus_) devices.push_back(gpu.get());
  KvBlockPool pool(devices, large);
  std::vector<uint8_t> values(large.block_bytes());
  RamTier ram(pool, 100 * block);
  const auto put_page = [&](char name) { return ram.put(features(name, values.size()), {.features = values.data()}); };
  EXPECT_TRUE(put_page('a'));
  EXPECT_TRUE(put_page('b'));
  EXPECT_FALSE(put_page('c'));
  EXPECT_TRUE(put_page('d'));
  EXPECT_EQ(ram.peek({EntryKind::kFeatures, page_of('a')}), nullptr);
  EXPECT_EQ(ram.num_bytes(EntryKind::kFeatures), 2 * block);
  EXPECT_TRUE(ram.check_integrity([](const Digest&) { return false; }).ok());
}

TEST_P(RamTierTest, WhatCouldNotBeCopiedIsNotThere) {
  open(8);
  EXPECT_TRUE(put("a"));
  faults_.copies_fail = true;
  EXPECT_FALSE(put("b"));
  EXPECT_EQ(ram_->find(id("b")), nullptr);
  const Kv page = kv("a");
  EXPECT_FALSE(ram_->copy_to(*ram_->find(id("a")), {.blocks = page.blocks}));
}

TEST_P(RamTierTest, HoldsTogetherUnderRandomUse) {
  std::mt19937 random(7);
  open(9);
  for (int round = 0; round < 500; ++round) {
    std::string names;
    for (size_t i = 0, count = 1 + random() % 4; i < count; ++i) names += static_cast<char>('a' + random() % 3);
    if (random() % 8 == 0) forget(names.substr(0, 1));
    for (size_t count = 1; count <= names.size() && put(names.substr(0, count));) ++count;
  }
  EXPECT_GT(num_evicted_, 100);
  forget("abc");
  EXPECT_EQ(ram_->num_bytes(EntryKind::kKv), 0u);
}

INSTANTIATE_TEST_SUITE_P(Ranks, RamTierTest, testing::Values(1, 2));

}  // namespace
}  // namespace glyph
