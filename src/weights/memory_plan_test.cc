#include "weights/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "weights/model_cost.h"
#include "weights/stand_in.h"

namespace glyph {
namespace {

using testing::HasSubstr;

constexpr uint64_t kGib = uint64_t{1} << 30;

class MemoryPlanTest : public testing::Test {
 protected:
  MemoryPlan plan(const MemoryNeeds& needs) const { return plan_memory(config_, preprocessor_, needs); }

  const ModelConfig config_ = stand_in_config();
  const PreprocessorConfig preprocessor_{};
  const MemoryNeeds bf16_{.kv_budget = 2 * kGib, .feature_budget = kGib / 2};
  const MemoryNeeds fp32_{.weight_bytes = 4, .activation_bytes = 4, .kv_bytes = 4, .kv_budget = 2 * kGib};
  const MemoryNeeds fp8_{.weight_bytes = 1, .kv_budget = kGib};
  const MemoryNeeds int4_{.weight_bytes = 0.53125, .page_patches = 2520, .kv_budget = kGib / 2};
};

TEST_F(MemoryPlanTest, WeightsOfThe9BInEachPrecision) {
  // 10.29 billion values. Of quantised ones 0.62 billion, the token table, stay, and as many, the head, have 8 bits.
  EXPECT_NEAR(static_cast<double>(plan(fp32_).bytes_of("weights")), 4 * 10.29e9, 0.1e9);
  EXPECT_NEAR(static_cast<double>(plan(bf16_).bytes_of("weights")), 2 * 10.29e9, 0.1e9);
  EXPECT_NEAR(static_cast<double>(plan(fp8_).bytes_of("weights")), 10.29e9 + 0.62e9, 0.1e9);
  EXPECT_NEAR(static_cast<double>(plan(int4_).bytes_of("weights")), 0.53125 * (10.29e9 - 1.24e9) + 3.03125 * 0.62e9, 0.1e9);
}

TEST_F(MemoryPlanTest, BudgetsCountAsTheyAre) {
  const MemoryPlan bf16 = plan(bf16_);
  EXPECT_EQ(bf16.bytes_of("KV"), 2 * kGib);
  EXPECT_EQ(bf16.bytes_of("features"), kGib / 2);
  EXPECT_EQ(bf16.kv_token_bytes, uint64_t{40} << 10);
  uint64_t sum = 0;
  for (const MemoryPlan::Part& part : bf16.parts) sum += part.bytes;
  EXPECT_EQ(bf16.total_bytes(), sum);
}

// Each of the two models keeps what its widest pass took.
TEST_F(MemoryPlanTest, WorkspaceIsThatOfAChunkAndThatOfThePage) {
  const auto workspace_of = [&](int64_t page_patches) {
    MemoryNeeds needs = bf16_;
    needs.page_patches = page_patches;
    return static_cast<double>(plan(needs).bytes_of("workspace"));
  };
  constexpr int64_t kPicture = 85264;
  const double chunk = workspace_of(1), picture = workspace_of(kPicture) - chunk;
  EXPECT_GT(chunk, 8192.0 * 130'000);
  EXPECT_GT(picture, static_cast<double>(kPicture) * 30'000);
  EXPECT_NEAR((workspace_of(2 * kPicture) - chunk) / picture, 2, 0.001);
}

// With fp8 the same budget holds nearly twice the tokens; what is stored is widened for a prompt, one layer at a time.
TEST_F(MemoryPlanTest, NarrowKvHoldsMoreTokensAndIsWidenedByLayers) {
  MemoryNeeds needs = bf16_;
  needs.kv_bytes = 1 + 4.0 / 128;  // a scale for a head
  const MemoryPlan narrow = plan(needs), wide = plan(bf16_);
  EXPECT_EQ(narrow.kv_token_bytes, uint64_t{2 * 40 * 2 * (128 + 4)});
  const double tokens = std::min(2.0 * kGib / static_cast<double>(narrow.kv_token_bytes), static_cast<double>(config_.text.max_position_embeddings));
  EXPECT_NEAR(static_cast<double>(narrow.bytes_of("workspace") - wide.bytes_of("workspace")), 1.1 * 2 * std::exp2(std::ceil(std::log2(tokens))) * 2 * 2 * 128 * 2, 8192);
  needs.kv_budget = 1000 * kGib;  // no sequence is longer than the model's window
  EXPECT_LT(plan(needs).bytes_of("workspace") - wide.bytes_of("workspace"), 2400u * static_cast<uint64_t>(config_.text.max_position_embeddings));
}

TEST_F(MemoryPlanTest, FitsWhereItShould) {
  EXPECT_TRUE(check_memory(plan(bf16_), 139 * kGib, "H200").ok());
  EXPECT_TRUE(check_memory(plan(int4_), 15 * kGib, "card of 16 GB").ok());
  EXPECT_TRUE(check_memory(plan(fp8_), 22 * kGib, "card of 24 GB").ok());
  const MemoryPlan exact = plan(bf16_);
  EXPECT_TRUE(check_memory(exact, exact.total_bytes(), "card").ok());
  EXPECT_EQ(check_memory(exact, exact.total_bytes() - 1, "card").code(), StatusCode::kExhausted);
}

TEST_F(MemoryPlanTest, RefusesWithEveryFigure) {
  const Status tight = check_memory(plan(bf16_), 23 * kGib, "NVIDIA A10");
  EXPECT_EQ(tight.code(), StatusCode::kExhausted);
  for (const char* words : {"NVIDIA A10 has 23.0 GiB free", "weights 19.2 GiB", "KV 2.0 GiB", "features 512 MiB", "lower --kv-mib"}) {
    EXPECT_THAT(tight.message(), HasSubstr(words));
  }
  const Status hopeless = check_memory(plan(bf16_), 16 * kGib, "card");
  EXPECT_THAT(hopeless.message(), HasSubstr("choose a smaller --precision"));
}

TEST_F(MemoryPlanTest, BudgetsShrinkToWhatIsThere) {
  EXPECT_EQ(fit_budgets(config_, preprocessor_, bf16_, 80 * kGib, kGib / 4).kv_budget, bf16_.kv_budget);
  const uint64_t free = plan(bf16_).total_bytes() - kGib;
  const MemoryNeeds fitted = fit_budgets(config_, preprocessor_, bf16_, free, kGib / 4);
  EXPECT_LT(fitted.kv_budget, bf16_.kv_budget);
  EXPECT_GT(fitted.kv_budget, kGib);
  EXPECT_NEAR(static_cast<double>(fitted.feature_budget) / static_cast<double>(fitted.kv_budget), 0.25, 1e-6);
  EXPECT_TRUE(check_memory(plan(fitted), free, "card").ok());
  EXPECT_EQ(fit_budgets(config_, preprocessor_, bf16_, 19 * kGib, kGib / 4).kv_budget, 0u);
}

TEST_F(MemoryPlanTest, WeightsThatStayInTheirFileTakeNothing) {
  MemoryNeeds mapped = bf16_;
  mapped.weights_in_file = true;
  EXPECT_EQ(plan(mapped).bytes_of("weights"), 0u);
}

TEST(SizeText, ReadsWell) {
  EXPECT_EQ(size_text(512 << 20), "512 MiB");
  EXPECT_EQ(size_text(kGib * 3 / 2), "1.5 GiB");
}

// Two devices share the language model; what sees pages is on both, the token table on the first.
TEST(MemoryPlan, SeveralDevicesShareTheLanguageModel) {
  const ModelConfig config{};
  MemoryNeeds needs{.library_bytes = 0};
  const MemoryPlan one = plan_memory(config, {}, needs);
  needs.num_devices = 2;
  const MemoryPlan two = plan_memory(config, {}, needs);
  const uint64_t saved = one.bytes_of("weights") - two.bytes_of("weights");
  const DecodeReads reads = decode_reads(config, 0);
  EXPECT_NEAR(static_cast<double>(saved), static_cast<double>(reads.layers + reads.head), 4.0);  // half of it, of two bytes each
  EXPECT_EQ(two.kv_token_bytes * 2, one.kv_token_bytes);
  needs.num_devices = 4;  // two heads of keys on four devices
  EXPECT_EQ(plan_memory(config, {}, needs).kv_token_bytes, two.kv_token_bytes);
}

}  // namespace
}  // namespace glyph
