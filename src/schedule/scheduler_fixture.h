// A scheduler with a tiny model, for tests of what it does with jobs.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "base/test_dir.h"
#include "schedule/cache_identity.h"
#include "schedule/scheduler.h"
#include "support/tiny_model.h"

namespace glyph {

inline SourcePtr source_of(int count, const std::string& word = "nothing", const std::string& id = "") {
  std::string text;
  for (int i = 0; i < count; ++i) text += "This is line " + std::to_string(i) + " of a document about " + word + " in particular.\n";
  auto document = std::make_shared<Document>();
  document->name = "note.txt";
  document->format = "txt";
  document->blocks.push_back({Block::Kind::kText, text, {}});
  return std::make_shared<Source>(document, PageStyle::english(), nullptr, id);
}

class SchedulerTest : public testing::Test {
 protected:
  void SetUp() override { load(); }
  void load(const TinyModelOptions& tiny = {}) {
    const std::filesystem::path dir = fresh_test_dir();
    ASSERT_TRUE(write_tiny_model(dir, tiny).ok());
    ModelOptions options = model_options_;
    options.dir = dir;
    auto model = Model::load(options);
    ASSERT_TRUE(model.ok()) << model.status().message();
    model_ = *std::move(model);
  }
  void TearDown() override {
    if (scheduler_ == nullptr) return;
    const Status status = scheduler_->check_integrity();
    EXPECT_TRUE(status.ok()) << status.message();
  }
  void start(const SchedulerOptions& options = {}) {
    scheduler_.reset();  // lets go of the disk
    scheduler_ = std::make_unique<Scheduler>(Replica{model_.get(), reload_}, options, open_disk(*model_, disk_dir_, uint64_t{1} << 30));
  }

  std::future<Result<JobResult>> submit(JobRequest request, std::stop_token stop = {}, JobListener listener = {}) {
    return submit_to(*scheduler_, std::move(request), std::move(stop), std::move(listener));
  }
  template <typename Target>
  static std::future<Result<JobResult>> submit_to(Target& target, JobRequest request, std::stop_token stop, JobListener listener) {
    auto promise = std::make_shared<std::promise<Result<JobResult>>>();
    listener.on_end = [promise](Result<JobResult> result) { promise->set_value(std::move(result)); };
    const Status status = target.submit(std::move(request), std::move(listener), std::move(stop));
    if (!status.ok()) promise->set_value(status);
    return promise->get_future();
  }
  static JobRequest question(std::vector<SourcePtr> sources, const std::string& text = "What is it about?", int64_t max_tokens = 12) {
    JobRequest request;
    request.turns.push_back({Role::kUser, std::move(sources), text});
    request.max_tokens = max_tokens;
    return request;
  }
  static JobRequest read(SourcePtr source) {
    JobRequest request;
    request.kind = JobRequest::Kind::kRead;
    request.turns.push_back({Role::kUser, {std::move(source)}, ""});
    return request;
  }

  ModelOptions model_options_;           // of load()
  std::filesystem::path disk_dir_;       // of start()
  std::function<Status()> reload_ = {};  // of start()
  std::unique_ptr<Model> model_;
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace glyph
