#include "cache/feature_cache.h"

#include <gtest/gtest.h>

namespace glyph {
namespace {

class FeatureCacheTest : public testing::Test {
 protected:
  FeaturesPtr features(int64_t tokens) {
    auto made = std::make_shared<PageFeatures>();
    made->values = Tensor(device_, DType::kF32, {tokens, 16});  // 64 bytes a token
    return made;
  }
  ReferenceDevice device_;
};

TEST_F(FeatureCacheTest, DropsTheLeastRecentlyUsed) {
  FeatureCache cache(300 * 64);
  const Digest a = sha256("a"), b = sha256("b"), c = sha256("c");
  cache.insert(a, features(100));
  cache.insert(b, features(100));
  EXPECT_NE(cache.find(a), nullptr);
  cache.insert(c, features(150));
  EXPECT_NE(cache.find(a), nullptr);
  EXPECT_EQ(cache.find(b), nullptr);
  EXPECT_NE(cache.find(c), nullptr);
  EXPECT_EQ(cache.num_bytes(), 250u * 64);
  EXPECT_TRUE(cache.check_integrity().ok());
}

TEST_F(FeatureCacheTest, TellsWhatMadeRoom) {
  std::vector<std::pair<Digest, int64_t>> told;
  FeatureCache cache(300 * 64, [&](const Digest& key, const PageFeatures& features) { told.emplace_back(key, features.num_tokens()); });
  cache.insert(sha256("a"), features(100));
  cache.insert(sha256("b"), features(120));
  cache.insert(sha256("c"), features(200));
  EXPECT_EQ(told, (std::vector<std::pair<Digest, int64_t>>{{sha256("a"), 100}, {sha256("b"), 120}}));
  cache.erase(sha256("c"));
  cache.insert(sha256("too large"), features(301));
  EXPECT_EQ(told.size(), 2u);
}

TEST_F(FeatureCacheTest, WhatIsInUseOutlivesItsEntry) {
  FeatureCache cache(100 * 64);
  cache.insert(sha256("a"), features(100));
  const FeaturesPtr held = cache.find(sha256("a"));
  cache.insert(sha256("b"), features(100));
  EXPECT_EQ(cache.find(sha256("a")), nullptr);
  EXPECT_EQ(held->num_tokens(), 100);
}

TEST_F(FeatureCacheTest, APageLargerThanTheBudgetLeavesTheOthersAlone) {
  FeatureCache cache(100 * 64);
  cache.insert(sha256("a"), features(50));
  cache.insert(sha256("b"), features(101));
  EXPECT_NE(cache.find(sha256("a")), nullptr);
  EXPECT_EQ(cache.find(sha256("b")), nullptr);
  EXPECT_TRUE(cache.check_integrity().ok());
}

}  // namespace
}  // namespace glyph
