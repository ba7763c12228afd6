#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/text_file.h"
#include "base/thread_pool.h"
#include "base/utf8.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;

fs::path scratch_folder() {
  const fs::path folder = fs::temp_directory_path() / ("glyph_base_test_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  return folder;
}

TEST(Hash, KnownVectorsOfFips180) {
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, FieldsDoNotRunIntoEachOther) {
  EXPECT_NE(Sha256().field("ab").field("c").finish(), Sha256().field("a").field("bc").finish());
}

TEST(Utf8, RoundTripsEveryPlane) {
  for (uint32_t c : {0x24u, 0xA2u, 0x20ACu, 0x4E2Du, 0x1F600u, 0x10FFFFu}) {
    std::string text;
    append_utf8(text, c);
    const CodePoint point = decode_utf8(text, 0);
    EXPECT_EQ(point.value, c);
    EXPECT_EQ(point.length, text.size());
    EXPECT_TRUE(point.valid);
  }
}

TEST(Utf8, ReplacesMaximalSubparts) {
  // The examples of Unicode 15, section 3.9.
  EXPECT_EQ(sanitize_utf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"),
            "a\uFFFD\uFFFD\uFFFD" "b\uFFFD" "c\uFFFD\uFFFD" "d");
  EXPECT_FALSE(is_valid_utf8("\xC0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xED\xA0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xE4\xB8"));
  EXPECT_TRUE(is_valid_utf8("\xE4\xB8\xAD"));
}

TEST(Utf8, ABeginningEndsBetweenCharacters) {
  EXPECT_EQ(beginning_of("plain", 5), "plain");
  EXPECT_EQ(beginning_of("plainer", 5), "plain...");
  EXPECT_EQ(beginning_of("a\u4e2d\u6587", 5), "a\u4e2d...");
  EXPECT_EQ(beginning_of("\xFF" "b", 9), "\uFFFDb");
  EXPECT_EQ(beginning_of(std::string(1000, '\x80'), 4), "\uFFFD...");
}

TEST(ThreadPool, CoversEveryIndexOnce) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (size_t count : {0u, 1u, 7u, 1000u}) {
      std::vector<std::atomic<int>> hits(count);
      pool.parallel_for(count, 3, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) ++hits[i];
      });
      for (size_t i = 0; i < count; ++i) EXPECT_EQ(hits[i], 1) << i;
    }
  }
}

TEST(Files, WriteThenReadThenReplace) {
  const fs::path path = scratch_folder() / "note.txt";
  ASSERT_TRUE(write_file_atomically(path, "one").ok());
  ASSERT_TRUE(write_file_atomically(path, "second").ok());
  EXPECT_EQ(*read_file(path, 100), "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), {}), 1) << "a temporary file was left behind";
  fs::remove_all(path.parent_path());
}

TEST(Files, RefusalsNameTheCulprit) {
  const fs::path folder = scratch_folder();
  EXPECT_EQ(MappedFile::open(folder / "none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(MappedFile::open(folder).status().code(), StatusCode::kRefused);
  ASSERT_TRUE(write_file_atomically(folder / "big", "12345").ok());
  const Status status = read_file(folder / "big", 4).status();
  EXPECT_EQ(status.code(), StatusCode::kRefused);
  EXPECT_NE(status.message().find("5 bytes, the limit is 4"), std::string::npos);
  ASSERT_TRUE(write_file_atomically(folder / "empty", "").ok());
  EXPECT_TRUE(MappedFile::open(folder / "empty")->bytes().empty());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace glyph
