#include "language/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace glyph {
namespace {

class KvCacheTest : public ::testing::Test {
 protected:
  void append(KvCache& cache, int64_t count) {
    ASSERT_TRUE(cache.reserve(count).ok());
    cache.commit(count, cache.next_position() + count);
  }

  ReferenceDevice device_;
  KvLayout layout_{
      .num_layers = 3, .num_kv_heads = 2, .head_dim = 8, .block_tokens = 64, .dtype = DType::kBF16};
  KvBlockPool pool_{device_, layout_};
};

TEST_F(KvCacheTest, LayoutAddsUp) {
  EXPECT_EQ(layout_.token_bytes(), 3u * 2 * 2 * 8 * 2);
  EXPECT_EQ(layout_.block_bytes(), layout_.token_bytes() * 64);
  KvCache cache(pool_);
  append(cache, 1);
  EXPECT_EQ(cache.layer(1).key_offset, 2 * layout_.half_layer_bytes());
  EXPECT_EQ(cache.layer(2).value_offset, 5 * layout_.half_layer_bytes());
}

TEST_F(KvCacheTest, E4M3HasAScaleForEveryPositionOfAHead) {
  layout_.dtype = kv_type(KvPrecision::kFp8, DType::kBF16);
  EXPECT_EQ(layout_.token_bytes(), 3u * 2 * 2 * (8 + 4));
  EXPECT_EQ(layout_.block_bytes(), layout_.token_bytes() * 64);
  KvBlockPool pool(device_, layout_);
  KvCache cache(pool);
  append(cache, 1);
  const ops::KvLayer layer = cache.layer(1);
  EXPECT_EQ(layer.dtype, DType::kE4M3);
  EXPECT_EQ(layer.value_offset, layer.key_offset + layer.scale_offset() + 2 * 64 * sizeof(float));
  EXPECT_EQ(cache.layer(2).key_offset, layer.value_offset + layout_.half_layer_bytes());
  EXPECT_EQ(kv_type(KvPrecision::kAuto, DType::kBF16), DType::kBF16);
  EXPECT_EQ(parse_kv_precision("fp8").value(), KvPrecision::kFp8);
  EXPECT_EQ(parse_kv_precision("auto").value(), KvPrecision::kAuto);
  EXPECT_EQ(parse_kv_precision("bf16").status().code(), StatusCode::kUsage);
}

// A beginning that ends inside a block has a copy of it, scales and all.
TEST_F(KvCacheTest, ABeginningSeesWhatItSawBefore) {
  for (const DType type : {DType::kF32, DType::kE4M3}) {
    layout_.dtype = type;
    KvBlockPool pool(device_, layout_);
    KvCache document(pool);
    ASSERT_TRUE(document.reserve(100).ok());
    Tensor rows(device_, DType::kF32, {100, 2, 8}), out(device_, DType::kF32, {1, 4, 8}), again(device_, DType::kF32, {1, 4, 8});
    for (int i = 0; i < 100 * 16; ++i) rows.data<float>()[i] = static_cast<float>(i * 37 % 101 - 50);
    for (int64_t layer = 0; layer < 3; ++layer) store_kv(device_, rows.view(), rows.view(), 0, document.layer(layer));
    document.commit(100, 100);
    const ConstTensorView q = rows.view().rows(3, 5).reshape({1, 4, 8});
    for (int64_t layer = 0; layer < 3; ++layer) {
      causal_attention(device_, q, document.layer(layer), 69, 0.01f, out.view());
      KvCache beginning = document.beginning(70, 70).value();
      EXPECT_NE(beginning.layer(0).blocks[1], document.layer(0).blocks[1]);
      causal_attention(device_, q, beginning.layer(layer), 69, 0.01f, again.view());
      EXPECT_EQ(std::memcmp(out.view().raw(), again.view().raw(), out.num_bytes()), 0) << name_of(type) << ", layer " << layer;
    }
  }
}

TEST_F(KvCacheTest, GrowsByBlocksAndGivesThemBack) {
  {
    KvCache cache(pool_);
    append(cache, 64);
    EXPECT_EQ(pool_.num_blocks_in_use(), 1);
    append(cache, 1);
    EXPECT_EQ(pool_.num_blocks_in_use(), 2);
    append(cache, 200);
    EXPECT_EQ(cache.num_tokens(), 265);
    EXPECT_EQ(pool_.num_blocks_in_use(), 5);
    cache.truncate(64, 64);
    EXPECT_EQ(pool_.num_blocks_in_use(), 1);
    EXPECT_EQ(cache.layer(0).blocks.size(), 1u);
  }
  EXPECT_EQ(pool_.num_blocks_in_use(), 0);
}

TEST_F(KvCacheTest, ReservingKeepsThePositionsThatAreThere) {
  KvCache cache(pool_);
  append(cache, 10);
  void* block = cache.layer(0).blocks[0];
  ASSERT_TRUE(cache.reserve(40).ok());
  EXPECT_EQ(cache.layer(0).blocks[0], block);
  ASSERT_TRUE(cache.reserve(100).ok());
  EXPECT_EQ(cache.layer(0).blocks[0], block);
  EXPECT_EQ(cache.num_tokens(), 10);
}

TEST_F(KvCacheTest, AForkSharesFullBlocksAndCopiesTheLastWhenItWrites) {
  KvCache document(pool_);
  append(document, 100);
  std::memset(document.layer(0).blocks[1], 7, layout_.block_bytes());
  KvCache question = document.fork();
  EXPECT_EQ(pool_.num_blocks_in_use(), 2);
  append(question, 5);
  EXPECT_EQ(pool_.num_blocks_in_use(), 3);
  EXPECT_EQ(question.layer(0).blocks[0], document.layer(0).blocks[0]);
  ASSERT_NE(question.layer(0).blocks[1], document.layer(0).blocks[1]);
  EXPECT_EQ(std::memcmp(question.layer(0).blocks[1], document.layer(0).blocks[1], layout_.block_bytes()), 0);
  void* own = question.layer(0).blocks[1];
  append(question, 1);  // now it is its own
  EXPECT_EQ(question.layer(0).blocks[1], own);
  EXPECT_EQ(document.num_tokens(), 100);
}

TEST_F(KvCacheTest, AForkAtABlockBoundaryCopiesNothing) {
  KvCache document(pool_);
  append(document, 128);
  KvCache question = document.fork();
  append(question, 1);
  EXPECT_EQ(pool_.num_blocks_in_use(), 3);
}

TEST_F(KvCacheTest, StartsFromCachedBlocks) {
  KvCache document(pool_);
  append(document, 130);
  const KvCache cache = KvCache::from_blocks(pool_, document.blocks(), 130, 77);
  EXPECT_EQ(cache.num_tokens(), 130);
  EXPECT_EQ(cache.next_position(), 77);
  EXPECT_EQ(cache.layer(2).blocks[2], document.layer(2).blocks[2]);
}

TEST_F(KvCacheTest, ALimitLeavesEverythingAsItWas) {
  KvBlockPool small(device_, layout_, 3);
  KvCache cache(small), other(small);
  append(cache, 100);
  const Status status = cache.reserve(200);
  EXPECT_EQ(status.code(), StatusCode::kExhausted);
  EXPECT_THAT(status.message(), ::testing::HasSubstr("all 3 blocks"));
  EXPECT_EQ(small.num_blocks_in_use(), 2);
  EXPECT_EQ(cache.num_tokens(), 100);
  append(other, 64);
  EXPECT_EQ(other.reserve(1).code(), StatusCode::kExhausted);
}

class CountingDevice : public ReferenceDevice {
 public:
  std::vector<size_t> sizes;

 protected:
  void* allocate_bytes(size_t num_bytes) override {
    sizes.push_back(num_bytes);
    return ReferenceDevice::allocate_bytes(num_bytes);
  }
};

TEST_F(KvCacheTest, BlocksLieApartInMemoryThatIsTakenForManyAtOnce) {
  CountingDevice device;
  KvBlockPool pool(device, layout_, 5);
  std::vector<KvBlockPool::BlockPtr> blocks;
  for (int i = 0; i < 5; ++i) {
    blocks.push_back(pool.allocate().value());
    std::memset(blocks.back()->memory.get(), i, layout_.block_bytes());
  }
  EXPECT_FALSE(pool.allocate().ok());
  EXPECT_EQ(device.sizes, std::vector<size_t>{5 * layout_.block_bytes()});
  for (int i = 0; i < 5; ++i) {
    const auto* bytes = static_cast<const uint8_t*>(blocks[static_cast<size_t>(i)]->memory.get());
    EXPECT_EQ(bytes[0], i);
    EXPECT_EQ(bytes[layout_.block_bytes() - 1], i);
  }
  void* const second = blocks[1]->memory.get();
  blocks.erase(blocks.begin() + 1);
  blocks.push_back(pool.allocate().value());
  EXPECT_EQ(blocks.back()->memory.get(), second);
  EXPECT_EQ(device.sizes.size(), 1u);
}

TEST_F(KvCacheTest, ABlockMayOutliveItsPool) {
  KvBlockPool::BlockPtr block;
  {
    KvBlockPool pool(device_, layout_);
    block = pool.allocate().value();
  }
  std::memset(block->memory.get(), 1, layout_.block_bytes());
}

}  // namespace
}  // namespace glyph
