// What bad input gets: one sentence that names the file and what is wrong, and nothing else.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <thread>

#include "ingest/ingest.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;

const fs::path kData = fs::path(GLYPH_SOURCE_DIR) / "tests/ingest/data";

IngestOptions options() {
  IngestOptions options;
  options.helper = GLYPH_EXTRACT_PATH;
  return options;
}

class Scratch {
 public:
  Scratch() : folder_(fs::temp_directory_path() / ("glyph_refusal_test_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~Scratch() { fs::remove_all(folder_); }
  fs::path file(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  fs::path folder() const { return folder_; }

 private:
  fs::path folder_;
};

void expect_refusal(const fs::path& path, StatusCode code, const std::string& sentence, const IngestOptions& with = options()) {
  const auto document = read_document(path, with);
  ASSERT_FALSE(document.ok()) << path;
  EXPECT_EQ(document.status().code(), code) << document.status().message();
  EXPECT_EQ(document.status().message(), path.string() + ": " + sentence);
}

TEST(Refusal, DamagedPdfs) {
  expect_refusal(kData / "encrypted.pdf", StatusCode::kRefused, "the PDF is encrypted and needs a password");
  expect_refusal(kData / "truncated.pdf", StatusCode::kRefused, "the PDF is truncated: its end-of-file part is missing");
  expect_refusal(kData / "garbage.pdf", StatusCode::kRefused, "the PDF is damaged and cannot be opened");
}

TEST(Refusal, HostileDocx) {
  expect_refusal(kData / "zip_bomb.docx", StatusCode::kRefused,
                 "the part word/document.xml inflates from 19610 to 20000184 bytes or more, the limit is 100 times");
  expect_refusal(kData / "entity_bomb.docx", StatusCode::kRefused,
                 "the part word/document.xml declares a document type, which may hide an entity bomb");
  expect_refusal(kData / "missing_part.docx", StatusCode::kRefused, "the part word/document.xml is missing");
  expect_refusal(kData / "dotdot.docx", StatusCode::kRefused, "the archive has an entry with the forbidden path '../evil.xml'");
  expect_refusal(kData / "truncated.docx", StatusCode::kRefused, "the ZIP archive is damaged or truncated");
}

TEST(Refusal, FilesThatAreNoDocuments) {
  const Scratch scratch;
  std::string binary;
  for (int i = 0; i < 4000; ++i) binary += static_cast<char>(i * 7919 >> 5);
  expect_refusal(scratch.file("data.txt", binary), StatusCode::kRefused, "it is binary data, not text");
  expect_refusal(scratch.file("empty.txt", ""), StatusCode::kRefused, "the file is empty");
  expect_refusal(scratch.file("empty.pdf", ""), StatusCode::kRefused, "the file is empty");
  expect_refusal(scratch.file("blank.txt", " \n\t\n"), StatusCode::kRefused, "it has no text");
  expect_refusal(scratch.folder(), StatusCode::kRefused, "it is a directory, not a file");
  expect_refusal(scratch.folder() / "nothing.txt", StatusCode::kNotFound, "there is no such file");
  const fs::path fifo = scratch.folder() / "fifo.txt";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  expect_refusal(fifo, StatusCode::kRefused, "it is not a regular file");
}

TEST(Refusal, AFileOverTheLimitNamesBothNumbers) {
  const Scratch scratch;
  IngestOptions small = options();
  small.limits.file_bytes = 100;
  expect_refusal(scratch.file("long.txt", std::string(101, 'x')), StatusCode::kRefused, "the file has 101 bytes, the limit is 100", small);
  EXPECT_EQ(read_bytes("folder/long.txt", std::string(101, 'x'), small).status().message(),
            "long.txt: the file has 101 bytes, the limit is 100");
}

TEST(Refusal, TooManyPages) {
  IngestOptions few = options();
  few.limits.pages = 2;
  expect_refusal(kData / "plain.pdf", StatusCode::kRefused, "the PDF has 3 pages, the limit is 2", few);
}

TEST(Refusal, APdfOverTimeIsStopped) {
  IngestOptions impatient = options();
  impatient.limits.helper_seconds = 0.5;
  const auto begin = std::chrono::steady_clock::now();
  expect_refusal(kData / "slow.pdf", StatusCode::kDeadline, "reading took longer than the limit of 0.5 s", impatient);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(Refusal, AStopRequestEndsTheHelper) {
  std::stop_source source;
  IngestOptions stoppable = options();
  stoppable.stop = source.get_token();
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    source.request_stop();
  });
  const auto begin = std::chrono::steady_clock::now();
  expect_refusal(kData / "slow.pdf", StatusCode::kCancelled, "reading was stopped", stoppable);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
}

// A sanitizer's helper runs without a limit on its address space.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Refusal, ADocumentOverTheMemoryLimit) {
  IngestOptions tight = options();
  tight.limits.helper_memory = size_t{100} << 20;
  tight.limits.inflate_ratio = 10'000;
  const Scratch scratch;
  expect_refusal(kData / "memory.docx", StatusCode::kRefused, "reading it needs more than the limit of 100 MiB of memory", tight);
}
#endif

TEST(Refusal, AMissingHelperIsNamed) {
  IngestOptions lost = options();
  lost.helper = "/nonexistent/glyph-extract";
  expect_refusal(kData / "plain.pdf", StatusCode::kInternal,
                 "reading it needs the program /nonexistent/glyph-extract, which is not there", lost);
}

TEST(Refusal, AHelperThatIsNoHelperIsAnError) {
  IngestOptions wrong = options();
  wrong.helper = "/bin/true";
  EXPECT_EQ(read_document(kData / "plain.pdf", wrong).status().code(), StatusCode::kInternal);
  wrong.helper = "/bin/echo";
  EXPECT_EQ(read_document(kData / "plain.pdf", wrong).status().code(), StatusCode::kInternal);
}

}  // namespace
}  // namespace glyph
