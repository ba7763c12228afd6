#include "weights/model_cost.h"

#include <gtest/gtest.h>

#include <vector>

#include "weights/stand_in.h"

namespace glyph {
namespace {

TEST(ModelCost, TenPagesOfThe9B) {
  const ModelConfig config = stand_in_config();
  const std::vector<int64_t> pages(10, 60 * 42);
  // By hand: 24 blocks of 1536 x (4 x 1536 + 3 x 4096) and two products with 2,520 neighbours for each patch; for each of 6,300
  // tokens 4096 x (4 x 1536 + 4096 + 3 x 13696).
  const double blocks = 24.0 * 25200 * (1536.0 * (4 * 1536 + 3 * 4096) + 2.0 * 2520 * 1536);
  const double merger = 6300.0 * 4096 * (4 * 1536 + 4096 + 3 * 13696);
  const double patches = 25200.0 * 14 * 14 * 1536;
  EXPECT_DOUBLE_EQ(vision_flop(config, pages), 2 * (blocks + merger + patches));
  EXPECT_NEAR(vision_flop(config, pages) * 1e-12, 46.5, 0.5);
  EXPECT_NEAR(prefill_flop(config, 0, 6358) * 1e-12, 116, 2);
}

TEST(ModelCost, AttentionOfOneTallPictureIsQuadratic) {
  const ModelConfig config = stand_in_config();
  const int64_t whole[] = {25200};
  const std::vector<int64_t> pages(10, 2520);
  const double extra = vision_flop(config, whole) - vision_flop(config, pages);
  EXPECT_DOUBLE_EQ(extra, 24 * 4.0 * 1536 * (25200.0 * 25200 - 10 * 2520.0 * 2520));
}

TEST(ModelCost, ReadingInPartsCostsAsMuchAsAtOnce) {
  const ModelConfig config = stand_in_config();
  const double head = 2.0 * 151552 * 4096;
  EXPECT_DOUBLE_EQ(prefill_flop(config, 0, 1000) + head, prefill_flop(config, 0, 300) + prefill_flop(config, 300, 700));
}

TEST(ModelCost, AStepReadsTheLanguageModelOnce) {
  const DecodeReads reads = decode_reads(stand_in_config(), 6358);
  EXPECT_NEAR(static_cast<double>(reads.layers + reads.head) * 2e-9, 17.5, 0.2);       // GB of bf16
  EXPECT_EQ(reads.kv * 2, int64_t{40} * 1024 * 6358);                      // 40 KiB a token in bf16
}

TEST(ModelCost, CountsEveryWeightOnce) {
  const WeightCounts counts = weight_counts(stand_in_config());
  EXPECT_EQ(counts.token_table, int64_t{151552} * 4096);
  EXPECT_NEAR(static_cast<double>(counts.matrices + counts.token_table + counts.others), 10.29e9, 0.02e9);
  EXPECT_LT(counts.others, 8'000'000);
}

}  // namespace
}  // namespace glyph
