#include "gpu_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

GpuHealth gpu(uint64_t slow_reasons) {
  GpuHealth health;
  health.name = "card";
  health.slow_reasons = slow_reasons;
  return health;
}

TEST(SlowGpus, TellsOfEachChangeOnce) {
  SlowGpus slow;
  EXPECT_THAT(slow.look({gpu(0), gpu(0x1)}), IsEmpty());
  const auto became = slow.look({gpu(0), gpu(0x40)});
  ASSERT_THAT(became, SizeIs(1));
  EXPECT_TRUE(became[0].slow);
  EXPECT_THAT(became[0].line, HasSubstr("GPU 1: card is slowed down (hw_thermal)"));
  EXPECT_THAT(slow.look({gpu(0), gpu(0x20)}), IsEmpty());  // still
  const auto recovered = slow.look({gpu(0), gpu(0)});
  ASSERT_THAT(recovered, SizeIs(1));
  EXPECT_FALSE(recovered[0].slow);
  EXPECT_EQ(recovered[0].line, "GPU 1: card runs at full speed again");
}

TEST(GpuWatch, EndsAtOnce) {
  const GpuWatch watch(std::chrono::hours(1));  // its end would not come by itself within the test's limit
}

}  // namespace
}  // namespace glyph
