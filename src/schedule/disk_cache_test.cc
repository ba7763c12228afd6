// What is kept on disk, through the engine: a scheduler that ends and another one that begins where it was.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "base/test_dir.h"
#include "schedule/cache_identity.h"
#include "schedule/scheduler.h"
#include "support/tiny_model.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;

std::string lines(int count, const std::string& word = "nothing") {
  std::string text;
  for (int i = 0; i < count; ++i) text += "This is line " + std::to_string(i) + " of a document about " + word + " in particular.\n";
  return text;
}

SourcePtr source_of(const std::string& text, const std::string& id) {
  auto document = std::make_shared<Document>();
  document->name = "note.txt";
  document->blocks.push_back({Block::Kind::kText, text, {}});
  return std::make_shared<Source>(document, PageStyle::english(), nullptr, id);
}

class DiskCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fresh_test_dir();
    load_model({});
  }
  void TearDown() override { end(); }

  void load_model(const TinyModelOptions& tiny) {
    end();
    ASSERT_TRUE(write_tiny_model(dir_ / "model", tiny).ok());
    ModelOptions options;
    options.dir = dir_ / "model";
    options.kv_precision = kv_precision_;
    auto model = Model::load(options);
    ASSERT_TRUE(model.ok()) << model.status().message();
    model_ = *std::move(model);
  }
  // Another process, as far as the caches can tell.
  void restart(bool with_disk = true) {
    end();
    const DiskTierPtr disk = with_disk ? open_disk(*model_, dir_ / "cache", uint64_t{1} << 30) : nullptr;
    scheduler_ = std::make_unique<Scheduler>(Replica{model_.get()}, options_, disk);
  }
  void end() {
    if (scheduler_ == nullptr) return;
    check();
    scheduler_.reset();
  }
  void check() {
    const Status status = scheduler_->check_integrity();
    EXPECT_TRUE(status.ok()) << status.message();
  }

  std::future<Result<JobResult>> submit(JobRequest request, JobListener listener = {}) {
    auto promise = std::make_shared<std::promise<Result<JobResult>>>();
    listener.on_end = [promise](Result<JobResult> result) { promise->set_value(std::move(result)); };
    const Status status = scheduler_->submit(std::move(request), std::move(listener), {});
    if (!status.ok()) promise->set_value(status);
    return promise->get_future();
  }
  static JobRequest question(std::vector<SourcePtr> sources) {
    JobRequest request;
    request.turns.push_back({Role::kUser, std::move(sources), "What is it about?"});
    request.max_tokens = 16;
    return request;
  }
  JobResult ask(std::vector<SourcePtr> sources) {
    auto result = submit(question(std::move(sources))).get();
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *std::move(result) : JobResult{};
  }
  JobResult ask(const std::string& text, const std::string& id) { return ask({source_of(text, id)}); }
  CacheStats stats() {
    check();
    return scheduler_->stats().caches;
  }
  std::vector<fs::path> files(const std::string& folder) {
    check();  // all is written
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(dir_ / "cache" / folder)) found.push_back(entry.path());
    return found;
  }

  fs::path dir_;
  SchedulerOptions options_;
  KvPrecision kv_precision_ = KvPrecision::kAuto;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(DiskCacheTest, ColdCachedAndRestoredGiveTheSameText) {
  const std::string text = lines(300);
  restart(false);
  const JobResult cold = ask(text, "doc");
  EXPECT_EQ(cold.usage.cached_tokens, 0);
  restart();
  EXPECT_EQ(ask(text, "doc").answers[0].text, cold.answers[0].text);
  const JobResult cached = ask(text, "doc");
  EXPECT_EQ(cached.answers[0].text, cold.answers[0].text);
  restart();
  const JobResult restored = ask(text, "doc");
  EXPECT_EQ(restored.answers[0].text, cold.answers[0].text);
  EXPECT_EQ(restored.usage.cached_tokens, cached.usage.cached_tokens);
  EXPECT_EQ(restored.usage.prompt_tokens, cold.usage.prompt_tokens);
  EXPECT_EQ(restored.timings.vision_ms, 0);
  EXPECT_EQ(stats().disk_kv.hits, 4u);
  EXPECT_EQ(ask(text, "doc").usage.cached_tokens, cached.usage.cached_tokens);
  EXPECT_EQ(stats().disk_kv.hits, 4u);  // in memory by now
}

TEST_F(DiskCacheTest, DamageIsReadAgain) {
  const std::string text = lines(300);
  restart();
  const JobResult cold = ask(text, "doc");
  for (const fs::path& path : files("kv")) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(2000);
    file.put('\x55');
  }
  restart();
  const JobResult again = ask(text, "doc");
  EXPECT_EQ(again.answers[0].text, cold.answers[0].text);
  EXPECT_EQ(again.usage.cached_tokens, 0);
  EXPECT_EQ(again.timings.vision_ms, 0);  // the features were whole
  EXPECT_EQ(stats().disk.num_damaged, 1u);
  restart();
  EXPECT_GT(ask(text, "doc").usage.cached_tokens, 0);
}

TEST_F(DiskCacheTest, AnotherModelUsesNothing) {
  const std::string text = lines(100);
  restart();
  ask(text, "doc");
  EXPECT_FALSE(files("kv").empty());
  load_model({.seed = 2});  // the same shapes
  restart();
  EXPECT_EQ(stats().disk.num_entries, 0u);
  const JobResult other = ask(text, "doc");
  EXPECT_EQ(other.usage.cached_tokens, 0);
  EXPECT_GT(other.timings.vision_ms, 0);
}

TEST_F(DiskCacheTest, KvOfFp8IsRestoredAndOfNoUseToOthers) {
  const std::string text = lines(300);
  restart();
  ask(text, "doc");
  const auto bytes_of = [&] { return stats().memory_kv_bytes; };
  const size_t wide = bytes_of();
  kv_precision_ = KvPrecision::kFp8;
  load_model({});
  restart();
  EXPECT_EQ(stats().disk.num_entries, 0u);
  const JobResult cold = ask(text, "doc");
  EXPECT_EQ(cold.usage.cached_tokens, 0);
  EXPECT_LT(bytes_of(), wide * 2 / 3);
  const JobResult cached = ask(text, "doc");
  EXPECT_EQ(cached.answers[0].text, cold.answers[0].text);
  restart();
  const JobResult restored = ask(text, "doc");
  EXPECT_EQ(restored.answers[0].text, cold.answers[0].text);
  EXPECT_EQ(restored.usage.cached_tokens, cached.usage.cached_tokens);
  EXPECT_EQ(stats().disk_kv.hits, 4u);
  kv_precision_ = KvPrecision::kAuto;
  load_model({});
  restart();
  EXPECT_EQ(stats().disk.num_entries, 0u);
}

TEST_F(DiskCacheTest, AnEditedPageIsEncodedAloneAfterARestart) {
  restart();
  ask(lines(300), "first");
  EXPECT_EQ(stats().disk.num_entries, 8u);  // 4 pages
  std::string edited = lines(300);
  edited[edited.find("line 100 ") + 5] = '9';
  restart();
  const JobResult result = ask(edited, "second");
  EXPECT_EQ(result.pages, 4u);
  EXPECT_GT(result.usage.cached_tokens, 0);
  const CacheStats after = stats();
  EXPECT_EQ(after.disk_kv.hits, 1u);        // the page before
  EXPECT_EQ(after.disk_features.hits, 2u);  // the pages behind
  EXPECT_EQ(files("features").size(), 5u);  // one more
  restart(false);
  EXPECT_EQ(ask(edited, "second").answers[0].text, result.answers[0].text);
}

TEST_F(DiskCacheTest, ADeletedDocumentLeavesBothTiers) {
  restart();
  std::string edited = lines(300);
  edited[edited.find("line 100 ") + 5] = '9';
  ask(lines(300), "first");
  const SourcePtr second = source_of(edited, "second");
  ask({second});
  const int64_t cached = ask({second}).usage.cached_tokens;
  const size_t both = stats().memory_kv_bytes;
  scheduler_->forget("first", nullptr);
  EXPECT_LT(stats().memory_kv_bytes, both);
  EXPECT_EQ(files("kv").size(), 4u);  // the edited document's
  EXPECT_EQ(files("features").size(), 4u);
  EXPECT_EQ(ask({second}).usage.cached_tokens, cached);
  scheduler_->forget("second", second);
  EXPECT_EQ(stats().memory_kv_bytes, 0u);
  EXPECT_EQ(stats().memory_feature_bytes, 0u);
  EXPECT_TRUE(files("kv").empty());
  EXPECT_TRUE(files("features").empty());
  EXPECT_TRUE(files("pages").empty());
}

TEST_F(DiskCacheTest, ADocumentDeletedUnderAQuestionIsNotKept) {
  restart();
  const SourcePtr source = source_of(lines(300), "doc");
  bool told = false;
  JobListener listener;
  listener.on_progress = [&](const AskProgress& progress) {
    if (progress.stage == AskStage::kPrefill && !told) {
      told = true;
      scheduler_->forget("doc", source);
    }
  };
  EXPECT_TRUE(submit(question({source}), listener).get().ok());
  EXPECT_EQ(stats().memory_kv_bytes, 0u);
  EXPECT_TRUE(files("kv").empty());
  EXPECT_TRUE(files("features").empty());
}

TEST_F(DiskCacheTest, WhatIsNoStoredDocumentStaysInMemory) {
  restart();
  ask(lines(100), "");
  EXPECT_GT(stats().memory_kv_bytes, 0u);
  EXPECT_TRUE(files("kv").empty());
  EXPECT_TRUE(files("features").empty());
  ask({source_of(lines(50), ""), source_of(lines(100, "cats"), "doc")});  // its KV depends on the other one
  EXPECT_TRUE(files("kv").empty());
  EXPECT_FALSE(files("features").empty());
}

TEST_F(DiskCacheTest, WhatMemoryHadBeforeItWasStoredIsWrittenToo) {
  restart();
  ask(lines(100), "");
  JobRequest request;
  request.kind = JobRequest::Kind::kRead;
  request.turns.push_back({Role::kUser, {source_of(lines(100), "doc")}, ""});
  const auto done = submit(std::move(request)).get();
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->usage.cached_tokens, done->usage.prompt_tokens);
  EXPECT_EQ(files("kv").size(), 2u);
  EXPECT_EQ(files("features").size(), 2u);
  restart();
  EXPECT_EQ(ask(lines(100), "doc").usage.cached_tokens, done->usage.prompt_tokens);
}

TEST_F(DiskCacheTest, DocumentsThatAreGoneAtTheStartLeaveNothing) {
  restart();
  ask(lines(100), "kept");
  ask(lines(120), "gone");
  restart();
  scheduler_->retain({"kept"});
  EXPECT_EQ(files("pages").size(), 1u);
  EXPECT_GT(ask(lines(100), "kept").usage.cached_tokens, 0);
}

TEST_F(DiskCacheTest, MoreDocumentsThanMemoryHolds) {
  restart();
  const JobResult one = ask(lines(200, "cats"), "one");
  options_.prefix_bytes = stats().memory_kv_bytes * 3 / 2;
  options_.feature_bytes = 0;
  restart();
  ask(lines(200, "cats"), "one");
  ask(lines(200, "dogs"), "two");
  const JobResult again = ask(lines(200, "cats"), "one");
  EXPECT_EQ(again.answers[0].text, one.answers[0].text);
  EXPECT_EQ(again.timings.vision_ms, 0);
  EXPECT_GT(stats().disk_kv.hits, 3u);  // three once, what was dropped twice
  EXPECT_LE(stats().memory_kv_bytes, options_.prefix_bytes);
}

TEST_F(DiskCacheTest, AFolderThatCannotBeUsedCostsTheDiskOnly) {
  scheduler_ = std::make_unique<Scheduler>(Replica{model_.get()}, options_, open_disk(*model_, "/proc/none", 1));
  const SourcePtr source = source_of(lines(100), "doc");
  ask({source});
  EXPECT_GT(ask({source}).usage.cached_tokens, 0);
}

}  // namespace
}  // namespace glyph
