#include "replica_count.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

using testing::HasSubstr;

Result<int64_t> wanted(const std::string& text) {
  Settings settings;
  if (!text.empty()) settings.set_flag("replicas", text);
  return wanted_replicas(settings);
}

TEST(ReplicaCount, ANumberOrAll) {
  EXPECT_EQ(*wanted(""), 1);
  EXPECT_EQ(*wanted("64"), 64);
  EXPECT_EQ(*wanted("all"), kAllReplicas);
  for (const char* wrong : {"0", "-1", "65", "two", "1.5", "ALL"}) {
    EXPECT_EQ(wanted(wrong).status().code(), StatusCode::kUsage) << wrong;
    EXPECT_THAT(wanted(wrong).status().message(), HasSubstr("is not a whole number from 1 to 64, nor all"));
  }
}

TEST(ReplicaCount, GpusMustDo) {
  EXPECT_EQ(*replicas_on_gpus(kAllReplicas, {.num_gpus = 8}), 8);
  EXPECT_EQ(*replicas_on_gpus(kAllReplicas, {.num_gpus = 8, .first_gpu = 3, .gpus_each = 2}), 2);
  EXPECT_EQ(*replicas_on_gpus(4, {.num_gpus = 8, .gpus_each = 2}), 4);
  EXPECT_EQ(*replicas_on_gpus(1, {.num_gpus = 1}), 1);
  EXPECT_EQ(replicas_on_gpus(3, {.num_gpus = 2}).status().message(),
            "replicas: 3, each on a GPU of its own from GPU 0 on, need 3 of the driver's GPUs, which are 2");
  for (const GpuRoom& room : {GpuRoom{.num_gpus = 2, .first_gpu = 2}, GpuRoom{.num_gpus = 2, .first_gpu = 9}, GpuRoom{.num_gpus = 3, .first_gpu = 2, .gpus_each = 2}}) {
    EXPECT_EQ(replicas_on_gpus(kAllReplicas, room).status().code(), StatusCode::kNotFound);
  }
}

}  // namespace
}  // namespace glyph
