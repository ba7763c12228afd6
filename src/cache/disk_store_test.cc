#include "cache/disk_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "base/test_dir.h"
#include "base/text_file.h"
#include "cache/page_list.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr size_t kPayload = 4096;
constexpr uint64_t kEntry = kEntryHeaderBytes + kPayload;

class DiskStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.dir = fresh_test_dir();
    options_.max_bytes = 10 * kEntry;
    options_.identity = sha256("model");
    open();
  }
  void TearDown() override {
    if (store_ == nullptr) return;
    const Status status = store_->check_files();
    EXPECT_TRUE(status.ok()) << status.message();
  }
  void open() {
    store_.reset();
    auto store = DiskStore::open(options_);
    ASSERT_TRUE(store.ok()) << store.status().message();
    store_ = *std::move(store);
  }

  static Digest page(char name) { return sha256(std::string("page ") + name); }
  static Digest prompt(const std::string& path) { return sha256("prompt " + path); }
  static EntryId kv(const std::string& path) { return {EntryKind::kKv, prompt(path)}; }
  // The KV of the last page of `path`: 4 blocks.
  static EntryBuffer entry(const std::string& path, const std::string& model = "model") {
    EntryHeader header;
    header.kind = EntryKind::kKv;
    header.identity = sha256(model);
    header.key = prompt(path);
    header.page = page(path.back());
    header.parent = prompt(path.substr(0, path.size() - 1));
    const auto begin = static_cast<int64_t>(path.size() - 1) * 256;
    header.kv = {.begin_tokens = begin, .end_tokens = begin + 256, .next_position = begin + 20, .block_tokens = 64, .block_bytes = kPayload / 4};
    header.payload_bytes = kPayload;
    EntryBuffer made(header);
    for (size_t i = 0; i < kPayload; ++i) made.payload()[i] = static_cast<uint8_t>(i * 7 + path.size());
    return made;
  }
  void read(const std::string& owner, const std::string& pages) {
    for (size_t i = 1; i <= pages.size(); ++i) store_->put(entry(pages.substr(0, i)), owner);
  }
  bool has(const std::string& path) { return store_->load(kv(path)).has_value(); }
  fs::path file(const std::string& path) const { return options_.dir / "kv" / hex(prompt(path)); }

  DiskStoreOptions options_;
  std::unique_ptr<DiskStore> store_;
};

TEST_F(DiskStoreTest, WhatWasWrittenIsThereAfterARestart) {
  read("doc", "abc");
  open();
  EXPECT_EQ(store_->stats().num_entries, 3u);
  EXPECT_EQ(store_->stats().kv_bytes, 3 * kEntry);
  const auto found = store_->load(kv("abc"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->header().kv.end_tokens, 768);
  const EntryBuffer expected = entry("abc");
  EXPECT_TRUE(std::equal(expected.payload().begin(), expected.payload().end(), found->payload().begin()));
  EXPECT_FALSE(store_->load(kv("x")));
}

TEST_F(DiskStoreTest, AFlippedBitIsAMissAndDeleted) {
  for (const size_t at : {size_t{0}, size_t{9}, size_t{60}, kEntryHeaderBytes - 1, kEntryHeaderBytes, size_t{kEntry - 1}}) {
    read("doc", "ab");
    std::string bytes = *read_file(file("a"), kEntry);
    bytes[at] ^= 4;
    ASSERT_TRUE(write_file_atomically(file("a"), bytes).ok());
    const uint64_t damaged = store_->stats().num_damaged;
    EXPECT_FALSE(has("a")) << "byte " << at;
    EXPECT_EQ(store_->stats().num_damaged, damaged + 1);
    EXPECT_EQ(store_->stats().num_entries, 0u);  // what builds on it is of no use alone
    EXPECT_FALSE(fs::exists(file("a")));
    EXPECT_TRUE(store_->check_files().ok());
    read("doc", "a");
    EXPECT_TRUE(has("a"));
  }
}

TEST_F(DiskStoreTest, ACutOffOrForeignFileIsAMiss) {
  for (const size_t size : {size_t{0}, size_t{100}, size_t{kEntryHeaderBytes}, size_t{kEntry - 1}, size_t{kEntry + 1}}) {
    read("doc", "a");
    std::error_code error;
    fs::resize_file(file("a"), size, error);
    EXPECT_FALSE(has("a")) << size;
  }
  read("doc", "ab");
  fs::copy_file(file("ab"), file("a"), fs::copy_options::overwrite_existing);
  EXPECT_FALSE(has("a"));
  read("doc", "a");
  fs::remove(file("a"));
  EXPECT_FALSE(has("a"));
}

TEST_F(DiskStoreTest, WhatIsOfNoUseIsDeletedAtTheStart) {
  read("doc", "abcd");
  store_.reset();
  EntryBuffer foreign = entry("a", "another model");
  ASSERT_TRUE(write_entry(file("a"), foreign).ok());
  std::ofstream(options_.dir / "kv" / (hex(prompt("x")) + ".Ab3xYz")) << "what a crash left";
  std::ofstream(options_.dir / "kv" / hex(prompt("y"))) << "no entry";
  std::ofstream(options_.dir / "pages" / "other") << "no list";
  open();
  EXPECT_EQ(store_->stats().num_entries, 0u);
  EXPECT_EQ(store_->stats().num_damaged, 2u);
  EXPECT_FALSE(fs::exists(options_.dir / "pages" / "other"));
  read("doc", "a");
  EXPECT_TRUE(has("a"));
}

TEST_F(DiskStoreTest, TheDocumentThatWasNotUsedForLongestGoesFirst) {
  read("one", "abcd");
  read("two", "efgh");
  for (const auto& [name, hours] : {std::pair{"one", 1}, std::pair{"two", 2}}) {
    fs::last_write_time(options_.dir / "pages" / name, fs::file_time_type::clock::now() - std::chrono::hours(hours));
  }
  open();
  read("three", "ijk");
  EXPECT_TRUE(has("abcd"));
  EXPECT_FALSE(has("e"));
  EXPECT_TRUE(has("ijk"));
  store_->touch("one");
  read("four", "lmnopq");
  EXPECT_FALSE(has("i"));
  EXPECT_TRUE(has("abcd"));
  EXPECT_EQ(store_->stats().num_dropped, 0u);
}

TEST_F(DiskStoreTest, ADocumentPastTheBudgetKeepsItsBeginning) {
  read("doc", "abcdefghijklm");
  EXPECT_TRUE(has("abcdefghij"));
  EXPECT_EQ(store_->stats().kv_bytes, 10 * kEntry);
  EXPECT_GE(store_->stats().num_dropped, 1u);
  options_.max_bytes = 5 * kEntry;  // a smaller budget holds from the start
  open();
  EXPECT_LE(store_->stats().kv_bytes, 5 * kEntry);
}

TEST_F(DiskStoreTest, ADeletedDocumentTakesWhatOnlyItHas) {
  read("first", "abc");
  read("second", "axc");
  store_->remove_owner("first");
  EXPECT_TRUE(has("axc"));
  EXPECT_FALSE(has("ab"));
  EXPECT_FALSE(fs::exists(options_.dir / "pages" / "first"));
  open();
  EXPECT_TRUE(has("axc"));
  store_->retain_owners({"another"});
  EXPECT_EQ(store_->stats().num_entries, 0u);
  EXPECT_TRUE(fs::is_empty(options_.dir / "pages"));
}

TEST_F(DiskStoreTest, PagesThatADocumentNoLongerHasGo) {
  read("doc", "abc");
  store_->set_owner("doc", {page('a'), page('b')});
  EXPECT_FALSE(has("abc"));
  open();
  EXPECT_TRUE(has("ab"));
}

TEST_F(DiskStoreTest, ADocumentSharesWhatAnotherWrote) {
  read("first", "ab");
  read("second", "ab");
  store_->remove_owner("first");
  open();
  EXPECT_TRUE(has("ab"));
}

TEST_F(DiskStoreTest, NamesThatAreNoFileNamesAreNotWritten) {
  read("../doc", "a");
  EXPECT_EQ(store_->stats().num_entries, 0u);
  EXPECT_FALSE(fs::exists(options_.dir / "doc"));
}

TEST_F(DiskStoreTest, OneProcessUsesAFolder) {
  const auto second = DiskStore::open(options_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kExhausted);
  EXPECT_THAT(second.status().message(), HasSubstr("another process uses this folder"));
}

// No file of this process may grow past a limit meanwhile.
TEST_F(DiskStoreTest, ADiskThatFillsCostsTheWriteOnly) {
  read("doc", "a");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{kPayload / 2, before.rlim_max};
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  testing::internal::CaptureStderr();
  store_->put(entry("ab"), "doc");
  store_->put(entry("ac"), "doc");
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_EQ(store_->stats().num_dropped, 2u);
  EXPECT_THAT(log, HasSubstr("File too large"));
  EXPECT_EQ(log.find("warning"), log.rfind("warning")) << log;  // once
  EXPECT_TRUE(has("a"));
  EXPECT_FALSE(has("ab"));
  store_->put(entry("ab"), "doc");
  EXPECT_TRUE(has("ab"));
}

}  // namespace
}  // namespace glyph
