// A device that is lost takes with it only what was computed on it, and what was lost with it is computed again.
#include <algorithm>
#include <mutex>

#include "schedule/scheduler_fixture.h"
#include "support/failing_device.h"

namespace glyph {
namespace {

using testing::HasSubstr;

class RecoveryTest : public SchedulerTest {
 protected:
  void SetUp() override {
    const std::filesystem::path dir = fresh_test_dir("model");
    ASSERT_TRUE(write_tiny_model(dir).ok());
    ModelOptions options{.dir = dir};
    options.open_device = FailingDevice::opener(faults_);
    model_ = Model::load(options).value();
    reload_ = [this] { return model_->reload(); };
    options_.reload_pause_seconds = 0.01;
    cache_ = fresh_test_dir("cache");
  }
  // Another process, as far as the caches on disk can tell.
  void restart() {
    scheduler_.reset();
    if (model_->device().lost().ok()) return start(options_);
    ASSERT_TRUE(model_->reload().ok());
    start(options_);
  }
  static SourcePtr stored(int lines, const std::string& word = "nothing") {
    return source_of(lines, word, "doc_" + word + std::to_string(lines));
  }
  static JobListener at_progress(AskStage stage, std::function<void()> act) {
    JobListener listener;
    listener.on_progress = [stage, act = std::move(act)](const AskProgress& now) {
      if (now.stage == stage) act();
    };
    return listener;
  }

  const DeviceFaultsPtr faults_ = std::make_shared<DeviceFaults>();
  SchedulerOptions options_;
  std::filesystem::path cache_;
};

TEST_F(RecoveryTest, AnswersThatAreWrittenFailAndTheOthersAreGiven) {
  start(options_);
  const SourcePtr source = source_of(200);
  const std::string expected = submit(question({source})).get()->answers[0].text;
  options_.max_running = 2;
  restart();
  std::vector<std::future<Result<JobResult>>> written, waiting;
  int tokens[2] = {};
  for (int i = 0; i < 2; ++i) {
    JobRequest endless = question({}, "Tell me everything", 20000);
    endless.sampling.ignore_eos = true;
    const auto fail = [&, i] {  // once both are written
      ++tokens[i];
      if (std::min(tokens[0], tokens[1]) == 8 && tokens[i] == 8) faults_->checks_left = 1;
    };
    written.push_back(submit(std::move(endless), {}, at_progress(AskStage::kDecode, fail)));
  }
  for (int i = 0; i < 3; ++i) waiting.push_back(submit(question({source_of(200)})));
  for (auto& each : written) {
    const auto result = each.get();
    EXPECT_EQ(result.status().code(), StatusCode::kInternal);
    EXPECT_THAT(result.status().message(), HasSubstr("an illegal memory access"));
  }
  int failed = 0;  // the one that was being read, if the error came to light there
  for (auto& each : waiting) {
    const auto result = each.get();
    failed += !result.ok();
    if (!result.ok()) continue;
    EXPECT_EQ(result->answers[0].text, expected);
  }
  EXPECT_LE(failed, 1);
  EXPECT_EQ(faults_->num_opened, 2);
  EXPECT_EQ(scheduler_->stats().num_reloads, 1u);
  EXPECT_EQ(scheduler_->stats().engine, EngineState::kRunning);
}

// Two documents are read in turn. Whenever it happens, one of them fails and the other one begins again.
TEST_F(RecoveryTest, WhatIsOnlyReadBeginsAgain) {
  start(options_);
  const auto text_of = [&](const std::string& word) { return submit(question({source_of(300, word)})).get().value().answers[0].text; };
  const std::string one = text_of("one"), two = text_of("two");
  for (const int checks : {1, 2, 5, 8, 11}) {
    restart();
    std::future<Result<JobResult>> second;
    const auto lose = [&] {
      if (second.valid()) return;
      second = submit(read(source_of(300, "two")));
      faults_->checks_left = checks;
    };
    const auto first = submit(read(source_of(300, "one")), {}, at_progress(AskStage::kEncode, lose)).get();
    EXPECT_EQ(first.ok() + second.get().ok(), 1) << checks;
    ASSERT_TRUE(scheduler_->check_integrity().ok());
    EXPECT_EQ(scheduler_->stats().num_reloads, 1u);
    EXPECT_EQ(text_of("one"), one);
    EXPECT_EQ(text_of("two"), two);
  }
}

// The first begins again because of the second; when it happens beside it again, it fails, too: it may be the cause.
TEST_F(RecoveryTest, WhatBeganAgainDoesSoOnce) {
  start(options_);
  std::future<Result<JobResult>> others[2];
  const auto lose = [&] {
    const uint64_t losses = scheduler_->stats().num_reloads;
    if (losses > 1 || others[losses].valid()) return;
    others[losses] = submit(read(source_of(500, "two")));
    faults_->checks_left = 3;  // two passes of the first, one of this one, which opens its document between them
  };
  EXPECT_FALSE(submit(read(source_of(500, "one")), {}, at_progress(AskStage::kEncode, lose)).get().ok());
  for (auto& other : others) {
    ASSERT_TRUE(other.valid());
    EXPECT_FALSE(other.get().ok());
  }
  EXPECT_TRUE(submit(read(source_of(500, "one"))).get().ok());
  EXPECT_EQ(faults_->num_opened, 3);
}

TEST_F(RecoveryTest, WhatIsOnDiskStays) {
  disk_dir_ = cache_;
  start(options_);
  const SourcePtr source = stored(300);
  const auto done = submit(read(source)).get();
  ASSERT_TRUE(done.ok());
  const std::string expected = submit(question({source})).get()->answers[0].text;
  ASSERT_TRUE(scheduler_->check_integrity().ok());

  faults_->checks_left = 1;
  ASSERT_FALSE(submit(question({}, "Anything")).get().ok());
  const auto again = submit(question({source})).get();
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(again->usage.cached_tokens, done->usage.prompt_tokens);
  EXPECT_EQ(again->timings.vision_ms, 0);
  EXPECT_EQ(again->answers[0].text, expected);
  ASSERT_TRUE(scheduler_->check_integrity().ok());
  EXPECT_EQ(scheduler_->stats().caches.disk_kv.hits, 4u);
}

TEST_F(RecoveryTest, WhatRamHadGoesWithTheDevice) {
  start(options_);
  const auto ask = [&](const std::string& word) { return submit(question({source_of(200, word)})).get().value(); };
  const auto caches = [&] {
    EXPECT_TRUE(scheduler_->check_integrity().ok());
    return scheduler_->stats().caches;
  };
  const std::string expected = ask("one").answers[0].text;
  options_.prefix_bytes = caches().memory_kv_bytes * 3 / 2;
  options_.ram_bytes = size_t{1} << 30;
  restart();
  ask("one");
  ask("two");
  EXPECT_EQ(ask("one").timings.vision_ms, 0);
  EXPECT_GT(caches().ram_kv.hits, 0u);
  faults_->checks_left = 1;
  ASSERT_FALSE(submit(question({}, "Anything")).get().ok());
  const JobResult again = ask("one");
  EXPECT_EQ(again.usage.cached_tokens, 0);
  EXPECT_EQ(again.answers[0].text, expected);
  EXPECT_EQ(scheduler_->stats().num_reloads, 1u);
  ask("two");
  EXPECT_GT(caches().ram_kv_bytes, 0u);
}

// Whenever it fails, what a failing device gave does not get to the disk.
TEST_F(RecoveryTest, NothingWrongGetsToTheDisk) {
  start(options_);
  const std::string expected = submit(question({source_of(170)})).get()->answers[0].text;
  for (int checks = 1; checks <= 16; ++checks) {
    disk_dir_ = cache_ / std::to_string(checks);
    restart();
    faults_->checks_left = checks;
    (void)submit(read(stored(170))).get();
    ASSERT_TRUE(scheduler_->check_integrity().ok());
    faults_->checks_left = 0;
    restart();
    const auto answered = submit(question({stored(170)})).get();
    ASSERT_TRUE(answered.ok()) << checks << ": " << answered.status().message();
    EXPECT_EQ(answered->answers[0].text, expected) << checks;
  }
}

TEST_F(RecoveryTest, AfterSomeFailuresItDoesNotTryAgain) {
  start(options_);
  for (int i = 0; i < 2; ++i) {
    faults_->checks_left = 1;
    EXPECT_FALSE(submit(question({}, "Anything")).get().ok());
    EXPECT_TRUE(submit(question({}, "Anything")).get().ok());
  }
  std::vector<std::future<Result<JobResult>>> waiting;
  faults_->checks_left = 1;
  for (int i = 0; i < 4; ++i) waiting.push_back(submit(question({source_of(200)}, "Anything")));
  for (auto& each : waiting) EXPECT_FALSE(each.get().ok());
  const SchedulerStats stats = scheduler_->stats();
  EXPECT_EQ(stats.engine, EngineState::kFailed);
  EXPECT_THAT(stats.engine_failure, HasSubstr("the device failed 3 times within 600 s and is not tried again: the GPU reports an error"));
  EXPECT_EQ(faults_->num_opened, 3);
  const auto refused = submit(question({}, "Anything")).get();
  EXPECT_EQ(refused.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(refused.status().message(), stats.engine_failure);
  scheduler_->forget("doc", nullptr);
}

TEST_F(RecoveryTest, FailuresOfLongAgoDoNotCount) {
  options_.device_failure_seconds = 0;
  start(options_);
  for (int i = 0; i < 6; ++i) {
    faults_->checks_left = 1;
    EXPECT_FALSE(submit(question({}, "Anything")).get().ok());
    while (scheduler_->stats().num_reloads == static_cast<uint64_t>(i)) std::this_thread::yield();
  }
  EXPECT_TRUE(submit(question({}, "Anything")).get().ok());
  EXPECT_EQ(faults_->num_opened, 7);
}

TEST_F(RecoveryTest, ADeviceThatComesBackLaterIsUsed) {
  options_.max_device_failures = 1000;
  start(options_);
  faults_->checks_left = 1;
  faults_->gone = true;
  EXPECT_FALSE(submit(question({}, "Anything")).get().ok());
  std::stop_source stop;
  auto stopped = submit(question({}, "Anything"), stop.get_token()), waiting = submit(question({}, "Anything"));
  while (scheduler_->stats().engine != EngineState::kReloading) std::this_thread::yield();
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(30)), std::future_status::timeout);
  faults_->gone = false;
  EXPECT_TRUE(waiting.get().ok());
  EXPECT_TRUE(stopped.get().ok());
  EXPECT_EQ(scheduler_->stats().num_reloads, 1u);
}

TEST_F(RecoveryTest, WithoutAWayToReloadItEndsAtOnce) {
  reload_ = {};
  start(options_);
  faults_->checks_left = 1;
  EXPECT_FALSE(submit(question({}, "Anything")).get().ok());
  EXPECT_THAT(submit(question({}, "Anything")).get().status().message(), HasSubstr("nothing is computed any more"));
}

TEST_F(RecoveryTest, EndingDoesNotWaitForADevice) {
  options_.max_device_failures = 1000;
  options_.reload_pause_seconds = 1000;
  start(options_);
  faults_->checks_left = 1;
  faults_->gone = true;
  EXPECT_FALSE(submit(question({}, "Anything")).get().ok());
  auto waiting = submit(question({}, "Anything"));
  scheduler_.reset();  // hangs if it waits
  EXPECT_EQ(waiting.get().status().code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace glyph
