// What a device's memory has no room for and RAM keeps, through the engine: a host device stands for a GPU.
#include "schedule/scheduler_fixture.h"
#include "tensor/cpu_device.h"

namespace glyph {
namespace {

class RamCacheTest : public SchedulerTest, public testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    model_options_.precision = Precision::kF32;
    model_options_.tensor_parallel = GetParam();
    model_options_.open_device = []() -> Result<std::unique_ptr<Device>> {
      return std::unique_ptr<Device>(std::make_unique<CpuDevice>(CpuOptions{.num_threads = 1}));
    };
    load();
  }
  static SourcePtr stored(const std::string& word) { return source_of(200, word, "doc_" + word); }
  JobResult ask(SourcePtr source) {
    auto result = submit(question({std::move(source)})).get();
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *std::move(result) : JobResult{};
  }
  CacheStats stats() {
    const Status status = scheduler_->check_integrity();
    EXPECT_TRUE(status.ok()) << status.message();
    return scheduler_->stats().caches;
  }
  // Memory for one and a half of these documents; RAM for so many more.
  void start_small(size_t documents) {
    start();
    cold_ = ask(source_of(200, "cats"));
    const CacheStats of_one = stats();
    options_.prefix_bytes = of_one.memory_kv_bytes * 3 / 2;
    options_.feature_bytes = of_one.memory_feature_bytes * 3 / 2;
    options_.ram_bytes = documents * static_cast<size_t>(GetParam()) * (of_one.memory_kv_bytes + of_one.memory_feature_bytes) * 5 / 4;
    start(options_);
  }

  SchedulerOptions options_;
  JobResult cold_;
};

TEST_P(RamCacheTest, MoreDocumentsThanMemoryHolds) {
  start_small(4);
  EXPECT_EQ(ask(source_of(200, "cats")).answers[0].text, cold_.answers[0].text);
  for (const char* word : {"dogs", "cows"}) ask(source_of(200, word));
  const CacheStats before = stats();
  EXPECT_GT(before.memory_kv.evictions, 0u);
  EXPECT_GT(before.ram_feature_bytes, 0u);
  const JobResult again = ask(source_of(200, "cats"));
  EXPECT_EQ(again.answers[0].text, cold_.answers[0].text);
  EXPECT_EQ(again.timings.vision_ms, 0);
  const CacheStats after = stats();
  EXPECT_EQ(after.ram_kv.hits - before.ram_kv.hits, again.pages);
  EXPECT_LE(after.memory_kv_bytes, options_.prefix_bytes);
  EXPECT_EQ(after.ram_kv.evictions, 0u);
  const JobResult cached = ask(source_of(200, "cats"));
  EXPECT_EQ(cached.usage.cached_tokens, again.usage.cached_tokens);
  EXPECT_EQ(stats().ram_kv.hits, after.ram_kv.hits);  // on the device by now
}

TEST_P(RamCacheTest, RamKeepsToItsBudget) {
  start_small(1);
  for (const char* word : {"cats", "dogs", "cows", "pigs", "hens"}) ask(source_of(200, word));
  const CacheStats caches = stats();
  EXPECT_GT(caches.ram_kv.evictions, 0u);
  EXPECT_LE(caches.ram_kv_bytes + caches.ram_feature_bytes, options_.ram_bytes);
  EXPECT_EQ(ask(source_of(200, "cats")).answers[0].text, cold_.answers[0].text);
}

TEST_P(RamCacheTest, AnEditedPageIsEncodedAlone) {
  start_small(8);
  const SourcePtr source = source_of(200, "cats");
  auto document = std::make_shared<Document>(*source->document);
  std::string& text = document->blocks[0].text;
  text[text.find("line 100 ") + 5] = '9';
  const auto edited = std::make_shared<Source>(document, PageStyle::english(), nullptr, "");
  const size_t pages = ask(source).pages;
  for (const char* word : {"dogs", "cows"}) ask(source_of(200, word));
  const CacheStats before = stats();
  ask(edited);
  const CacheStats after = stats();
  EXPECT_EQ(after.ram_kv.hits + after.ram_features.hits - before.ram_kv.hits - before.ram_features.hits, pages - 1);
}

TEST_P(RamCacheTest, ADeletedDocumentLeavesRam) {
  start_small(4);
  const SourcePtr cats = stored("cats"), dogs = stored("dogs");
  ask(cats);
  ask(dogs);
  EXPECT_GT(stats().ram_kv_bytes, 0u);
  scheduler_->forget(cats->id, cats);
  scheduler_->forget(dogs->id, dogs);
  const CacheStats caches = stats();
  EXPECT_EQ(caches.ram_kv_bytes + caches.ram_feature_bytes + caches.memory_kv_bytes + caches.memory_feature_bytes, 0u);
  EXPECT_EQ(ask(source_of(200, "cats")).usage.cached_tokens, 0);
}

TEST_P(RamCacheTest, OnlyStoredDocumentsGetToTheDisk) {
  disk_dir_ = fresh_test_dir("cache");
  start_small(4);
  for (const char* word : {"cats", "dogs"}) ask(source_of(200, word));
  EXPECT_EQ(stats().disk.num_entries, 0u);
  ASSERT_TRUE(submit(read(stored("cats"))).get().ok());  // by now in RAM
  const CacheStats caches = stats();
  EXPECT_GT(caches.ram_kv.hits, 0u);
  EXPECT_GT(caches.disk.kv_bytes, 0u);
  EXPECT_GT(caches.disk.feature_bytes, 0u);
  scheduler_.reset();
  start(options_);
  EXPECT_EQ(ask(stored("cats")).answers[0].text, cold_.answers[0].text);
  EXPECT_GT(stats().disk_kv.hits, 0u);
}

INSTANTIATE_TEST_SUITE_P(Devices, RamCacheTest, testing::Values(1, 2));

}  // namespace
}  // namespace glyph
