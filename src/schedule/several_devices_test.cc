// A scheduler with a model that two devices compute together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/compile.h"
#include "schedule/scheduler_fixture.h"
#include "tensor/cpu_device.h"

namespace glyph {
namespace {

class SeveralDevicesTest : public SchedulerTest {
 protected:
  void load_on(int num_devices) {
    if (dir_.empty()) {
      dir_ = fresh_test_dir();
      ASSERT_TRUE(write_tiny_model(dir_).ok());
    }
    ModelOptions options;
    options.dir = dir_;
    options.precision = Precision::kF32;
    options.tensor_parallel = num_devices;
    options.open_device = []() -> Result<std::unique_ptr<Device>> {
      return std::unique_ptr<Device>(std::make_unique<CpuDevice>(CpuOptions{.num_threads = 1}));
    };
    auto model = Model::load(options);
    ASSERT_TRUE(model.ok()) << model.status().message();
    scheduler_.reset();
    model_ = *std::move(model);
  }

  std::filesystem::path dir_;
};

TEST_F(SeveralDevicesTest, AnswerAsOneDoes) {
  std::vector<std::string> answers[2];
  for (const int num_devices : {1, 2}) {
    load_on(num_devices);
    ASSERT_EQ(model_->group().size(), num_devices);
    start();
    const SourcePtr source = source_of(150);
    for (const char* text : {"What is it about?", "Which line is the last?"}) {
      const Result<JobResult> result = submit(question({source}, text)).get();
      ASSERT_TRUE(result.ok()) << result.status().message();
      answers[num_devices - 1].push_back(result->answers[0].text + "|" + result->answers[0].reasoning);
    }
    ASSERT_TRUE(scheduler_->check_integrity().ok());
  }
  EXPECT_EQ(answers[0], answers[1]);
}

// What both devices kept of a document is on disk together, and comes back to both.
TEST_F(SeveralDevicesTest, DocumentsComeBackFromDisk) {
  load_on(2);
  disk_dir_ = fresh_test_dir() / "cache";
  std::vector<std::string> answers;
  for (int round = 0; round < 2; ++round) {
    start();
    const SourcePtr source = source_of(150, "nothing", "note");
    const Result<JobResult> result = submit(question({source})).get();
    ASSERT_TRUE(result.ok()) << result.status().message();
    answers.push_back(result->answers[0].text + "|" + result->answers[0].reasoning);
    EXPECT_EQ(result->usage.cached_tokens > 0, round == 1);
    ASSERT_TRUE(scheduler_->check_integrity().ok());
    scheduler_.reset();
  }
  EXPECT_EQ(answers[0], answers[1]);
}

TEST_F(SeveralDevicesTest, PlansAreForOneDevice) {
  load_on(2);
  EXPECT_TRUE(use_plan(*model_, {}, dir_).ok());
  EXPECT_THAT(use_plan(*model_, dir_ / "a.plan", dir_).message(), testing::HasSubstr("a plan is for one GPU"));
  EXPECT_THAT(compile_plan(*model_).status().message(), testing::HasSubstr("a plan is for one GPU"));
}

}  // namespace
}  // namespace glyph
