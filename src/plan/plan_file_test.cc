#include "plan/plan_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "base/test_dir.h"

namespace glyph {
namespace {

using testing::HasSubstr;

Plan example() {
  Plan plan;
  plan.identity = {"0.2.0", "ab12", "NVIDIA H200, 140 GiB", "driver 13.0"};
  plan.chunks = {{1024, 190.5}, {8192, 150.25}};
  plan.passes = {{{{60, 42}, 1}, 1, ops::PageAttention::kOwn, true, 8.5}, {{{60, 42}, 1}, 10, ops::PageAttention::kCudnn, false, 66.75}};
  ops::cuda::MatrixChoice product{.shape = {4608, 1536, 2560, DType::kBF16, DType::kF32, true, true, false}};
  product.algorithm = {1, 0xABCDEF0123456789u, 0, 0, 0, 0, 0, ~uint64_t{0}};
  product.workspace_bytes = 1 << 20;
  product.seconds = 1.25e-4;
  product.first_seconds = 1.5e-4;
  plan.products = {product, {.shape = {1, 1, 1, DType::kE4M3, DType::kF16, false, false, true}}};
  return plan;
}

// With a checksum that fits.
std::string signed_text(std::string text) { return text + "sha256 " + hex(sha256(text)) + "\n"; }

const std::string kHead = "glyph plan 1\nprogram 1\nmodel m\ndevice d\nlibraries \n";

std::string refusal(const std::string& text) {
  const auto plan = parse_plan(text, "x.plan");
  EXPECT_FALSE(plan.ok());
  if (plan.ok()) return "";
  EXPECT_EQ(plan.status().code(), StatusCode::kRefused);
  EXPECT_THAT(plan.status().message(), HasSubstr("x.plan: "));
  return plan.status().message();
}

TEST(PlanFile, GivesBackWhatWasWritten) {
  const auto dir = fresh_test_dir();
  std::filesystem::create_directories(dir);
  const auto file = dir / "a.plan";
  ASSERT_TRUE(save_plan(example(), file).ok());
  const auto plan = load_plan(file);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->identity, example().identity);
  EXPECT_EQ(plan_text(*plan), plan_text(example()));
  EXPECT_EQ(plan->chunk_tokens(), 8192);
  EXPECT_EQ(plan->passes[1].attention, ops::PageAttention::kCudnn);
  EXPECT_TRUE(plan->passes[0].recorded);
  ASSERT_EQ(plan->products.size(), 2u);
  EXPECT_EQ(plan->products[0].shape, example().products[0].shape);
  EXPECT_EQ(plan->products[0].algorithm, example().products[0].algorithm);
  EXPECT_EQ(plan->products[1].shape, example().products[1].shape);
  EXPECT_EQ(load_plan(file.string() + "x").status().code(), StatusCode::kNotFound);
}

TEST(PlanFile, EveryChangedByteIsNoticed) {
  const std::string text = plan_text(example());
  for (size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(parse_plan(damaged, "x").ok()) << i;
    EXPECT_FALSE(parse_plan(text.substr(0, i), "x").ok()) << i;
  }
}

TEST(PlanFile, RefusesWhatIsNoPlan) {
  EXPECT_THAT(refusal(""), HasSubstr("does not begin with"));
  EXPECT_THAT(refusal("glyph plan 2\n"), HasSubstr("does not begin with \"glyph plan 1\""));
  EXPECT_THAT(refusal("glyph plan 1\n"), HasSubstr("checksum"));
  EXPECT_THAT(refusal(signed_text("glyph plan 1\n")), HasSubstr("does not say what it was made for"));
  EXPECT_THAT(refusal(signed_text(kHead + "device e\n")), HasSubstr("line 6 says something twice"));
  EXPECT_THAT(refusal(signed_text(kHead + "\n")), HasSubstr("line 6 is none that a plan has"));
  EXPECT_THAT(refusal(signed_text(kHead + "device2 e\n")), HasSubstr("is none that a plan has"));
  EXPECT_THAT(refusal(signed_text("glyph plan 1\nprogram a\x01\n")), HasSubstr("control characters"));
  EXPECT_TRUE(parse_plan(signed_text(kHead), "x").ok());
}

TEST(PlanFile, RefusesPathologicalNumbers) {
  for (const std::string line :
       {"chunk", "chunk 1", "chunk 0 1", "chunk 1 1 1", "chunk 99999999999999999999 1", "chunk 1 nan", "chunk 1 inf", "chunk 1 -1",
        "chunk  1 1", "chunk 1 1e300", "pages", "pages 60 42 1 10 own recorded", "pages 60 42 2 10 own recorded 1",
        "pages 60 42 1 10 quick recorded 1", "pages 60 42 1 10 own often 1", "pages 60 42 1 0 own direct 1",
        "pages 60 42 1 257 own direct 1", "pages 65536 65536 1 1 own direct 1", "pages -1 42 1 1 own direct 1",
        "pages 60 42 1 1 own direct 1 ", "product", "product 1 1 1 f32 f32 - 0 1 1 0 0 0 0 0 0 0",
        "product 1 1 1 f32 f32 - 0 1 1 0 0 0 0 0 0 0 0 0", "product 1 1 1 f32 f33 - 0 1 1 0 0 0 0 0 0 0 0",
        "product 1 1 1 f32 f32 ab 0 1 1 0 0 0 0 0 0 0 0", "product 1 1 1 f32 f32 x 0 1 1 0 0 0 0 0 0 0 0",
        "product 0 1 1 f32 f32 - 0 1 1 0 0 0 0 0 0 0 0", "product 1 1 1 f32 f32 - 0 1 1 0 0 0 0 0 0 0 g",
        "product 1 1 1 f32 f32 - 0 1 1 0 0 0 0 0 0 0 10000000000000000"}) {
    EXPECT_THAT(refusal(signed_text(kHead + line + "\n")), HasSubstr("line 6")) << line;
  }
  EXPECT_THAT(refusal(signed_text(kHead + "chunk 1 1\nchunk 1 2\n")), HasSubstr("line 7 says something twice"));
  EXPECT_THAT(refusal(signed_text(kHead + "pages 1 1 1 1 own direct 1\npages 1 1 1 1 cudnn direct 1\n")), HasSubstr("twice"));
}

TEST(PlanFile, HasLimits) {
  EXPECT_THAT(refusal(std::string(kMaxPlanBytes + 1, 'x')), HasSubstr("1048577 bytes; the limit is 1048576"));
  EXPECT_THAT(refusal(signed_text("glyph plan 1\n" + std::string(600, 'x') + "\n")), HasSubstr("600 bytes; the limit is 512"));
  std::string many = kHead;
  for (size_t i = 1; i <= kMaxPlanLines; ++i) many += "chunk " + std::to_string(i) + " 1\n";
  EXPECT_THAT(refusal(signed_text(many)), HasSubstr("more than 4096 lines"));
}

TEST(Plan, IsForOneMachineProgramAndModel) {
  const PlanIdentity here = example().identity;
  EXPECT_EQ(difference(here, here), "");
  PlanIdentity other = here;
  other.device = "another";
  EXPECT_THAT(difference(other, here), HasSubstr("made for the device \"another\", this is \"NVIDIA H200, 140 GiB\""));
  other = here;
  other.libraries = "driver 12.8";
  EXPECT_THAT(difference(other, here), HasSubstr("driver 12.8"));
  other = here;
  other.model = "cd";
  EXPECT_THAT(difference(other, here), HasSubstr("another model"));
  other = here;
  other.program = "0.1";
  EXPECT_THAT(difference(other, here), HasSubstr("glyph \"0.1\""));
}

TEST(Plan, PrefersSmallerChunksThatAreAsFast) {
  Plan plan;
  EXPECT_EQ(plan.chunk_tokens(), 0);
  plan.chunks = {{1024, 200}, {4096, 150.5}, {8192, 150}};
  EXPECT_EQ(plan.chunk_tokens(), 4096);
  plan.chunks.push_back({16384, 140});
  EXPECT_EQ(plan.chunk_tokens(), 16384);
  plan.chunks = {{8192, 150}, {4096, 150}};
  EXPECT_EQ(plan.chunk_tokens(), 8192);
  plan.chunks = {{8192, 150}, {4096, 149}};
  EXPECT_EQ(plan.chunk_tokens(), 4096);
}

}  // namespace
}  // namespace glyph
