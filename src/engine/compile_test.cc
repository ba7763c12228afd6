#include "engine/compile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/test_dir.h"
#include "base/text_file.h"
#include "engine/engine.h"
#include "plan/plan_file.h"
#include "support/tiny_model.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr PageShape kPage{{60, 42}, 1};

class Compile : public testing::Test {
 public:
  Compile() {
    dir = fresh_test_dir();
    EXPECT_TRUE(write_tiny_model(dir).ok());
    ::setenv("XDG_CACHE_HOME", (dir / "cache").c_str(), 1);
  }
  ~Compile() override { ::unsetenv("XDG_CACHE_HOME"); }

  std::unique_ptr<Model> load() const {
    return Model::load({.dir = dir, .device = DeviceChoice::kCpu, .precision = Precision::kF32}).value();
  }
  Plan small_plan(const Model& model) const {
    Plan plan{.identity = plan_identity(model), .passes = {}, .chunks = {{128, 5}}, .products = {}};
    plan.passes.push_back({.shape = kPage, .num_pages = 1, .ms = 1});
    plan.passes.push_back({.shape = kPage, .num_pages = 3, .ms = 2});
    return plan;
  }
  void write(const Plan& plan, const fs::path& file) const {
    fs::create_directories(file.parent_path());
    EXPECT_TRUE(save_plan(plan, file).ok());
  }
  static bool uses_small_plan(const Model& model) {
    return model.page_batches().most_pages(kPage) == 3 && model.language().chunk_tokens() == 128;
  }

  fs::path dir;
};

TEST_F(Compile, TimesPassesAndChunks) {
  const auto model = load();
  std::vector<std::string> lines;
  CompileOptions options{.pages = {{588, 840}, {589, 841}, {140, 140}}, .repeats = 1};
  options.progress = [&](const std::string& line) { lines.push_back(line); };
  const auto plan = compile_plan(*model, options);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  ASSERT_EQ(plan->passes.size(), 4u);  // the first two sizes are one shape
  EXPECT_EQ(plan->passes[0].shape, kPage);
  EXPECT_EQ(plan->passes[0].num_pages, 1);
  EXPECT_EQ(plan->passes[1].num_pages, 2);
  EXPECT_FALSE(plan->passes[0].recorded);  // nothing can be recorded on a host
  for (const PlannedPass& pass : plan->passes) EXPECT_GT(pass.ms, 0);
  EXPECT_EQ(plan->chunks.size(), 3u);
  EXPECT_EQ(lines.size(), plan->passes.size() + plan->chunks.size());
  EXPECT_EQ(difference(plan->identity, plan_identity(*model)), "");
  EXPECT_EQ(model->kv_blocks().num_blocks_in_use(), 0);
  EXPECT_TRUE(parse_plan(plan_text(*plan), "x").ok());
}

TEST_F(Compile, SaysWhyItCannot) {
  const auto model = load();
  EXPECT_EQ(compile_plan(*model, {.pages = {{10000, 10}}}).status().code(), StatusCode::kRefused);
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(compile_plan(*model, {.stop = source.get_token()}).status().code(), StatusCode::kCancelled);
}

TEST_F(Compile, ANamedPlanIsUsed) {
  const auto model = load();
  write(small_plan(*model), dir / "my.plan");
  ASSERT_TRUE(use_plan(*model, dir / "my.plan", dir).ok());
  EXPECT_TRUE(uses_small_plan(*model));
  EXPECT_EQ(use_plan(*model, dir / "none.plan", dir).code(), StatusCode::kNotFound);
}

TEST_F(Compile, APlanIsFoundBesideTheModelAndInTheCache) {
  auto model = load();
  ASSERT_TRUE(use_plan(*model, "", dir).ok());  // there is none
  EXPECT_EQ(model->language().chunk_tokens(), 512);
  write(small_plan(*model), dir / "glyph.plan");
  ASSERT_TRUE(use_plan(*model, "", dir).ok());
  EXPECT_TRUE(uses_small_plan(*model));
  fs::remove(dir / "glyph.plan");
  model = load();
  write(small_plan(*model), plan_cache_file(plan_identity(*model)));
  ASSERT_TRUE(use_plan(*model, "", dir).ok());
  EXPECT_TRUE(uses_small_plan(*model));
}

TEST_F(Compile, APlanForAnotherCardIsMadeAgain) {
  const auto model = load();
  Plan other = small_plan(*model);
  other.identity.device = "NVIDIA H200";
  write(other, dir / "my.plan");
  testing::internal::CaptureStderr();
  ASSERT_TRUE(use_plan(*model, dir / "my.plan", dir).ok());
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("it was made for the device \"NVIDIA H200\""));
  EXPECT_EQ(load_plan(dir / "my.plan")->identity, plan_identity(*model));
  EXPECT_TRUE(model->page_batches().planned(kPage));
}

TEST_F(Compile, ADamagedPlanBesideTheModelIsLeftAndOneIsMadeForTheCache) {
  const auto model = load();
  const std::string damaged = plan_text(small_plan(*model)).substr(1);
  ASSERT_TRUE(write_file_atomically(dir / "glyph.plan", damaged).ok());
  testing::internal::CaptureStderr();
  ASSERT_TRUE(use_plan(*model, "", dir).ok());
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("glyph.plan: does not begin with"));
  EXPECT_EQ(*read_file(dir / "glyph.plan", 1 << 20), damaged);
  EXPECT_TRUE(load_plan(plan_cache_file(plan_identity(*model))).ok());
}

TEST_F(Compile, AnAnswerDoesNotDependOnThePlan) {
  const ModelOptions options{.dir = dir, .device = DeviceChoice::kCpu, .precision = Precision::kF32};
  Document document;
  document.name = "a.txt";
  std::string text;
  for (int i = 0; i < 120; ++i) text += "Line " + std::to_string(i) + " of what is asked about.\n";
  document.blocks.push_back({Block::Kind::kText, text, {}});
  AskRequest request;
  request.document = std::make_shared<const Document>(document);
  request.question = "What?";
  request.max_tokens = 8;
  const auto without = Engine::open(options).value();
  write(small_plan(without->model()), dir / "glyph.plan");
  const auto with = Engine::open(options).value();
  EXPECT_TRUE(uses_small_plan(with->model()));
  EXPECT_EQ(without->ask(request)->answer, with->ask(request)->answer);
}

}  // namespace
}  // namespace glyph
