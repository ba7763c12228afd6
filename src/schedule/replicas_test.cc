// Copies of a model on devices of their own: which of them is asked, what they share, and that the loss of one is not the others'.
#include "schedule/replicas.h"

#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "schedule/scheduler_fixture.h"
#include "support/failing_device.h"
#include "tensor/cpu_device.h"

namespace glyph {
namespace {

using testing::ElementsAre;
using testing::Gt;
using testing::HasSubstr;

class ReplicasTest : public SchedulerTest {
 protected:
  void SetUp() override {
    dir_ = fresh_test_dir("model");
    ASSERT_TRUE(write_tiny_model(dir_).ok());
    for (const DeviceFaultsPtr& faults : faults_) models_.push_back(load(FailingDevice::opener(faults)));
    options_.max_running = 2;  // so that one job more than elsewhere is no reason to leave
    options_.reload_pause_seconds = 0.01;
  }
  void TearDown() override {
    if (replicas_ == nullptr) return;
    const Status status = replicas_->check_integrity();
    EXPECT_TRUE(status.ok()) << status.message();
  }
  std::unique_ptr<Model> load(std::function<Result<std::unique_ptr<Device>>()> opener) const {
    ModelOptions options{.dir = dir_};
    options.open_device = std::move(opener);
    return Model::load(options).value();
  }
  void start(size_t count = 2) {
    replicas_.reset();
    std::vector<Replica> replicas;
    for (size_t i = 0; i < count; ++i) replicas.push_back({models_[i].get(), [model = models_[i].get()] { return model->reload(); }});
    replicas_ = std::make_unique<Replicas>(replicas, options_, open_disk(*models_[0], disk_dir_, uint64_t{1} << 30));
  }

  std::future<Result<JobResult>> submit(JobRequest request, std::stop_token stop = {}, JobListener listener = {}) {
    return submit_to(*replicas_, std::move(request), std::move(stop), std::move(listener));
  }
  JobResult result_of(JobRequest request) {
    auto result = submit(std::move(request)).get();
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *std::move(result) : JobResult{};
  }
  std::string text_of(JobRequest request) { return result_of(std::move(request)).answers.at(0).text; }
  // An answer that goes on until it is stopped; ready when it is being written.
  std::future<Result<JobResult>> write_endlessly(std::vector<SourcePtr> sources, std::stop_token stop, std::function<void()> on_token = {}) {
    JobRequest endless = question(std::move(sources), "Tell me everything", 20000);
    endless.sampling.ignore_eos = true;
    JobListener listener;
    auto writes = std::make_shared<std::promise<void>>();
    listener.on_progress = [writes, on_token = std::move(on_token), first = true](const AskProgress& now) mutable {
      if (now.stage != AskStage::kDecode) return;
      if (std::exchange(first, false)) writes->set_value();
      if (on_token) on_token();
    };
    auto result = submit(std::move(endless), std::move(stop), std::move(listener));
    writes->get_future().wait();
    return result;
  }
  // By replica.
  template <typename Member>
  std::vector<uint64_t> each(Member member) {
    std::vector<uint64_t> values;
    EXPECT_TRUE(replicas_->check_integrity().ok());  // all is counted
    for (const SchedulerStats& stats : replicas_->stats()) values.push_back(static_cast<uint64_t>(stats.*member));
    return values;
  }
  // Has both replicas read a document: the second because of what waits at the first.
  void read_by_both(const SourcePtr& source) {
    std::stop_source stop;
    result_of(read(source));
    std::vector<std::future<Result<JobResult>>> endless;
    for (int i = 0; i < 2; ++i) endless.push_back(write_endlessly({source}, stop.get_token()));
    result_of(question({source}));
    stop.request_stop();
    replicas_->notify();
    for (auto& one : endless) EXPECT_EQ(one.get().status().code(), StatusCode::kCancelled);
    EXPECT_THAT(each(&SchedulerStats::prefix_bytes), ElementsAre(Gt(0), Gt(0)));
  }

  std::filesystem::path dir_;
  const std::vector<DeviceFaultsPtr> faults_{std::make_shared<DeviceFaults>(), std::make_shared<DeviceFaults>(), std::make_shared<DeviceFaults>()};
  std::vector<std::unique_ptr<Model>> models_;
  SchedulerOptions options_;
  std::unique_ptr<Replicas> replicas_;
};

TEST_F(ReplicasTest, AnswerAsOneDoes) {
  std::vector<std::string> answers[2];
  for (const size_t count : {1, 2}) {
    start(count);
    std::vector<std::future<Result<JobResult>>> asked;
    for (const char* word : {"one", "two", "three", "four"}) {
      for (const char* text : {"What is it about?", "Which line is the last?"}) asked.push_back(submit(question({source_of(150, word)}, text)));
    }
    for (auto& one : asked) answers[count - 1].push_back(one.get().value().answers[0].text);
  }
  EXPECT_EQ(answers[0], answers[1]);
  EXPECT_GT(std::set(answers[0].begin(), answers[0].end()).size(), 1u);
}

TEST_F(ReplicasTest, AQuestionGoesWhereItsDocumentIs) {
  start();
  const SourcePtr first = source_of(200, "one"), second = source_of(200, "two");
  result_of(read(first));
  result_of(read(second));
  EXPECT_THAT(each(&SchedulerStats::num_finished), ElementsAre(1, 1));
  for (int i = 0; i < 3; ++i) EXPECT_GT(result_of(question({second})).usage.cached_tokens, 500);
  EXPECT_THAT(each(&SchedulerStats::num_finished), ElementsAre(1, 4));
  EXPECT_GT(result_of(question({first})).usage.cached_tokens, 500);
  EXPECT_THAT(each(&SchedulerStats::num_finished), ElementsAre(2, 4));
}

// Its features alone are a reason, too, and two documents are a better one than one.
TEST_F(ReplicasTest, ItGoesWhereMostIsHeld) {
  options_.prefix_bytes = 0;
  start();
  const SourcePtr small = source_of(100, "one"), large = source_of(300, "two");
  result_of(read(small));
  result_of(read(large));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(result_of(question({small, large})).usage.cached_tokens, 0);
  EXPECT_THAT(each(&SchedulerStats::num_finished), ElementsAre(1, 3));
}

// Below the device's memory, too.
TEST_F(ReplicasTest, AQuestionGoesWhereRamHoldsItsDocument) {
  start();
  result_of(read(source_of(200, "cats")));
  options_.prefix_bytes = each(&SchedulerStats::prefix_bytes)[0];
  options_.feature_bytes = each(&SchedulerStats::feature_bytes)[0];
  options_.ram_bytes = size_t{1} << 30;
  start();
  const SourcePtr second = source_of(200, "dogs");
  for (const SourcePtr& source : {source_of(200, "cats"), second, source_of(200, "cows"), source_of(200, "hens")}) result_of(read(source));
  EXPECT_THAT(each(&SchedulerStats::num_finished), ElementsAre(2, 2));
  EXPECT_EQ(result_of(question({second})).timings.vision_ms, 0);
  EXPECT_THAT(each(&SchedulerStats::num_finished), ElementsAre(2, 3));
  EXPECT_GT(replicas_->stats()[1].caches.ram_kv.hits, 0u);
}

TEST_F(ReplicasTest, AQuestionGoesWhereItsDocumentIsBeingRead) {
  start();
  const SourcePtr source = source_of(300);
  std::future<Result<JobResult>> asked;
  JobListener listener;
  listener.on_progress = [&](const AskProgress&) {
    if (!asked.valid()) asked = submit(question({source}));
  };
  ASSERT_TRUE(submit(read(source), {}, listener).get().ok());
  ASSERT_TRUE(asked.get().ok());
  EXPECT_THAT(each(&SchedulerStats::num_finished), ElementsAre(2, 0));
}

TEST_F(ReplicasTest, LoadSpreads) {
  start();
  std::vector<std::future<Result<JobResult>>> asked;
  for (int i = 0; i < 8; ++i) asked.push_back(submit(question({}, "Question " + std::to_string(i))));
  for (auto& one : asked) EXPECT_TRUE(one.get().ok());
  for (int i = 0; i < 2; ++i) result_of(read(source_of(100, "document " + std::to_string(i))));
  const std::vector<uint64_t> finished = each(&SchedulerStats::num_finished);
  EXPECT_EQ(finished[0] + finished[1], 10u);
  EXPECT_GE(std::min(finished[0], finished[1]), 3u);
  EXPECT_THAT(each(&SchedulerStats::prefix_bytes), ElementsAre(Gt(0), Gt(0)));
}

TEST_F(ReplicasTest, AHotDocumentDoesNotHoldItsQuestionsBack) {
  start();
  const SourcePtr source = source_of(200);
  const std::string expected = text_of(question({source}));
  std::vector<std::future<Result<JobResult>>> asked;
  for (int i = 0; i < 12; ++i) asked.push_back(submit(question({source})));
  for (auto& one : asked) EXPECT_EQ(one.get().value().answers[0].text, expected);
  EXPECT_THAT(each(&SchedulerStats::num_finished), ElementsAre(Gt(1), Gt(1)));
}

TEST_F(ReplicasTest, DeletionReachesAll) {
  disk_dir_ = fresh_test_dir("cache");
  start();
  const SourcePtr source = source_of(200, "nothing", "doc_1");
  read_by_both(source);
  EXPECT_GT(replicas_->stats()[1].caches.disk.num_entries, 0u);
  replicas_->forget("doc_1", source);
  EXPECT_THAT(each(&SchedulerStats::prefix_bytes), ElementsAre(0, 0));
  EXPECT_THAT(each(&SchedulerStats::feature_bytes), ElementsAre(0, 0));
  for (const SchedulerStats& stats : replicas_->stats()) EXPECT_EQ(stats.caches.disk.num_entries, 0u);
  EXPECT_TRUE(source->forgotten());
}

// What one has written another one finds, in this process and in the next.
TEST_F(ReplicasTest, TheDiskIsOne) {
  disk_dir_ = fresh_test_dir("cache");
  start();
  const SourcePtr source = source_of(200, "nothing", "doc_1");
  const std::string expected = text_of(question({source}));
  ASSERT_TRUE(replicas_->check_integrity().ok());
  EXPECT_TRUE(replicas_->is_on_disk(*source->known()));
  read_by_both(source);
  EXPECT_EQ(replicas_->stats()[0].caches.disk_kv.hits, 0u);
  EXPECT_EQ(replicas_->stats()[1].caches.disk_kv.hits, 3u);
  start();
  EXPECT_TRUE(replicas_->is_on_disk(*source->known()));
  std::vector<std::future<Result<JobResult>>> asked;
  for (int i = 0; i < 6; ++i) asked.push_back(submit(question({source})));
  for (auto& one : asked) {
    const JobResult result = one.get().value();
    EXPECT_EQ(result.answers[0].text, expected);
    EXPECT_EQ(result.timings.vision_ms, 0);
  }
}

TEST_F(ReplicasTest, OtherHardwareDoesWithoutTheDisk) {
  disk_dir_ = fresh_test_dir("cache");
  models_[1] = load([]() -> Result<std::unique_ptr<Device>> { return std::unique_ptr<Device>(std::make_unique<CpuDevice>(CpuOptions{.num_threads = 2})); });
  start();
  for (const char* word : {"one", "two"}) result_of(read(source_of(100, word, std::string("doc_") + word)));
  EXPECT_THAT(each(&SchedulerStats::num_finished), ElementsAre(1, 1));
  EXPECT_EQ(replicas_->stats()[0].caches.disk.num_entries, 4u);  // features and KV of two pages
  EXPECT_EQ(replicas_->stats()[1].caches.disk.num_entries, 0u);
}

TEST_F(ReplicasTest, ALostDeviceIsNoMatterOfTheOther) {
  start();
  std::stop_source stop;
  std::atomic<bool> lose = false;
  auto lost = write_endlessly({}, {}, [&] { if (lose.exchange(false)) faults_[0]->checks_left = 1; });
  auto unharmed = write_endlessly({}, stop.get_token());
  lose = true;
  EXPECT_THAT(lost.get().status().message(), HasSubstr("an illegal memory access"));
  EXPECT_EQ(unharmed.wait_for(std::chrono::milliseconds(1)), std::future_status::timeout);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(submit(question({source_of(50)})).get().ok());
  stop.request_stop();
  replicas_->notify();
  EXPECT_EQ(unharmed.get().status().code(), StatusCode::kCancelled);
  EXPECT_THAT(each(&SchedulerStats::num_reloads), ElementsAre(1, 0));
  EXPECT_EQ(faults_[1]->num_opened, 1);
}

// What is written there fails, what waits there is answered by the other, which then is the only one.
TEST_F(ReplicasTest, OneThatIsLostForGoodIsLeftOut) {
  options_.max_device_failures = options_.max_running = 1;
  start();
  const SourcePtr source = source_of(100);
  const std::string expected = text_of(question({source}));
  std::future<Result<JobResult>> waiting;
  std::atomic<bool> lose = false;
  auto written = write_endlessly({source}, {}, [&] {
    if (!lose.exchange(false)) return;
    waiting = submit(question({source}));  // begun by nobody before the loss
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    faults_[0]->checks_left = 1;
  });
  lose = true;
  EXPECT_THAT(written.get().status().message(), HasSubstr("an illegal memory access"));
  const JobResult moved = waiting.get().value();
  EXPECT_EQ(moved.answers[0].text, expected);
  EXPECT_GE(moved.queue_ms, 50);  // its wait at the first one counts
  EXPECT_GT(moved.timings.ttft_ms, moved.queue_ms);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(text_of(question({source})), expected);
  const std::vector<SchedulerStats> stats = replicas_->stats();
  EXPECT_EQ(stats[0].engine, EngineState::kFailed);
  EXPECT_THAT(stats[0].engine_failure, HasSubstr("the device failed 1 times"));
  EXPECT_EQ(stats[1].engine, EngineState::kRunning);

  faults_[1]->checks_left = 1;
  EXPECT_FALSE(submit(question({}, "Anything")).get().ok());
  EXPECT_THAT(submit(question({}, "Anything")).get().status().message(), HasSubstr("is not tried again"));
}

// Though that one has to read the document first.
TEST_F(ReplicasTest, WhatOneRefusesAnotherOneTakes) {
  options_.max_waiting = 1;
  options_.max_running = 16;  // many more jobs may be where the document is
  start();
  const SourcePtr source = source_of(100);
  result_of(read(source));
  std::vector<std::future<Result<JobResult>>> asked;
  JobListener listener;
  listener.on_progress = [&](const AskProgress&) {  // its engine thread admits nothing meanwhile
    while (asked.size() < 2) asked.push_back(submit(question({source})));
  };
  ASSERT_TRUE(submit(read(source), {}, listener).get().ok());
  for (auto& one : asked) EXPECT_TRUE(one.get().ok());
  EXPECT_THAT(each(&SchedulerStats::num_finished), ElementsAre(3, 1));
}

// Every device fails that computes something of this job. Another one's pass shows it, as on a GPU.
TEST_F(ReplicasTest, AJobTakesOneDeviceAlongAtMost) {
  options_.max_device_failures = 1;
  start(3);
  const SourcePtr source = source_of(100);
  result_of(read(source));
  auto written = write_endlessly({source}, {});
  std::set<std::thread::id> engines;  // that began it, in the order of the replicas
  JobListener listener;
  listener.on_progress = [&](const AskProgress&) {
    if (engines.size() < faults_.size() && engines.insert(std::this_thread::get_id()).second) faults_[engines.size() - 1]->checks_left = 1;
  };
  EXPECT_THAT(submit(question({source, source_of(300, "two")}), {}, listener).get().status().message(), HasSubstr("is not tried again"));
  EXPECT_THAT(written.get().status().message(), HasSubstr("an illegal memory access"));
  EXPECT_EQ(engines.size(), 1u);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(submit(question({source_of(50)})).get().ok());
  const std::vector<SchedulerStats> stats = replicas_->stats();
  EXPECT_EQ(stats[0].engine, EngineState::kFailed);
  EXPECT_EQ(stats[1].engine, EngineState::kRunning);
  EXPECT_EQ(stats[2].engine, EngineState::kRunning);
}

}  // namespace
}  // namespace glyph
