#include "replica_count.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

using testing::ElementsAre;
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

std::vector<bool> gpus(size_t count) { return std::vector<bool>(count, true); }

TEST(ReplicaCount, GpusMustDo) {
  EXPECT_THAT(*replicas_on_gpus(kAllReplicas, {.usable = gpus(4)}), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(*replicas_on_gpus(kAllReplicas, {.usable = gpus(8), .first_gpu = 3, .gpus_each = 2}), ElementsAre(3, 5));
  EXPECT_THAT(*replicas_on_gpus(4, {.usable = gpus(8), .gpus_each = 2}), ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(*replicas_on_gpus(1, {.usable = gpus(1)}), ElementsAre(0));
  EXPECT_EQ(replicas_on_gpus(3, {.usable = gpus(2)}).status().message(),
            "replicas: 3, each on a GPU of its own from GPU 0 on, need 3 of the driver's GPUs, which are 2");
  for (const GpuRoom& room : {GpuRoom{.usable = gpus(2), .first_gpu = 2}, GpuRoom{.usable = gpus(2), .first_gpu = 9},
                              GpuRoom{.usable = gpus(3), .first_gpu = 2, .gpus_each = 2}}) {
    EXPECT_EQ(replicas_on_gpus(kAllReplicas, room).status().code(), StatusCode::kNotFound);
  }
}

TEST(ReplicaCount, GpusOfNoUseDoNotCount) {
  const std::vector<bool> usable{false, true, true, false, true, true, true};
  EXPECT_THAT(*replicas_on_gpus(kAllReplicas, {.usable = usable}), ElementsAre(1, 2, 4, 5, 6));
  EXPECT_THAT(*replicas_on_gpus(kAllReplicas, {.usable = usable, .first_gpu = 2, .gpus_each = 2}), ElementsAre(4));
  EXPECT_THAT(*replicas_on_gpus(3, {.usable = usable}), ElementsAre(1, 2, 4));
  EXPECT_EQ(replicas_on_gpus(2, {.usable = {true, false}}).status().message(),
            "replicas: 2, each on a GPU of its own from GPU 0 on, need 2 of the driver's GPUs, which are 2, 1 of them too old");
  EXPECT_EQ(replicas_on_gpus(kAllReplicas, {.usable = {false}}).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace glyph
