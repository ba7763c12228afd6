#include "plan/page_batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

using testing::ElementsAre;

constexpr PageShape kA4{{60, 42}, 1};
constexpr PageShape kSmall{{2, 2}, 1};

Plan plan_of(std::vector<std::pair<int64_t, double>> times) {
  Plan plan;
  for (const auto& [pages, ms] : times) plan.passes.push_back({.shape = kA4, .num_pages = pages, .ms = ms});
  return plan;
}

TEST(PageBatches, AHostTakesOnePageAndAGpuWhatFillsIt) {
  EXPECT_EQ(PageBatches(DeviceKind::kCpu).most_pages(kA4), 1);
  EXPECT_EQ(PageBatches(DeviceKind::kCpu).most_pages(kSmall), 1);
  EXPECT_EQ(PageBatches(DeviceKind::kCuda).most_pages(kA4), 10);
  EXPECT_EQ(PageBatches(DeviceKind::kCuda).most_pages(kSmall), 32);
  EXPECT_EQ(PageBatches(DeviceKind::kCuda).most_pages({{600, 200}, 1}), 1);
}

TEST(PageBatches, WithoutAPlanPagesStayTogether) {
  EXPECT_THAT(PageBatches(DeviceKind::kCuda).split(kA4, 7), ElementsAre(7));
}

TEST(PageBatches, APlanSaysWhatIsFastest) {
  const PageBatches batches(DeviceKind::kCuda, plan_of({{1, 8}, {2, 15}, {4, 28}, {10, 67}}));
  EXPECT_EQ(batches.most_pages(kA4), 10);
  EXPECT_THAT(batches.split(kA4, 10), ElementsAre(10));
  EXPECT_THAT(batches.split(kA4, 9), ElementsAre(4, 4, 1));
  EXPECT_THAT(batches.split(kA4, 3), ElementsAre(2, 1));
  EXPECT_THAT(batches.split(kA4, 1), ElementsAre(1));
  EXPECT_TRUE(batches.planned(kA4));
  EXPECT_FALSE(batches.planned(kSmall));
  EXPECT_EQ(batches.most_pages(kSmall), 32);
}

TEST(PageBatches, APlanMayKeepPagesApart) {
  const PageBatches batches(DeviceKind::kCpu, plan_of({{1, 100}, {2, 205}, {4, 440}}));
  EXPECT_EQ(batches.most_pages(kA4), 1);
  EXPECT_THAT(batches.split(kA4, 3), ElementsAre(1, 1, 1));
}

TEST(PageBatches, APlanThatCannotMakeEveryNumberIsNotUsedToSplit) {
  EXPECT_THAT(PageBatches(DeviceKind::kCuda, plan_of({{4, 28}})).split(kA4, 3), ElementsAre(3));
}

}  // namespace
}  // namespace glyph
