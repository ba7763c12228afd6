#include "server/batch_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <filesystem>
#include <vector>

#include "base/test_dir.h"
#include "base/text_file.h"
#include "server/batch.h"
#include "server/line_log.h"

namespace glyph {
namespace {

using testing::HasSubstr;

constexpr const char* kEndpoint = "/v1/completions";

TEST(BatchLine, ReadsARequest) {
  const auto parsed = parse_batch_line(R"({"custom_id":"a","method":"POST","url":"/v1/completions","body":{"prompt":"x"}})", kEndpoint);
  const auto* line = std::get_if<BatchLine>(&parsed);
  ASSERT_NE(line, nullptr);
  EXPECT_EQ(line->custom_id, "a");
  EXPECT_EQ(line->body, R"({"prompt":"x"})");
}

class BadLine : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(BadLine, IsNamed) {
  const auto parsed = parse_batch_line(GetParam().first, kEndpoint);
  const auto* bad = std::get_if<BadBatchLine>(&parsed);
  ASSERT_NE(bad, nullptr);
  EXPECT_THAT(bad->error.message, HasSubstr(GetParam().second));
}

INSTANTIATE_TEST_SUITE_P(Lines, BadLine,
                         testing::Values(std::pair{"", "not a request"}, std::pair{"[]", "not a request"}, std::pair{"\xff", "not a request"},
                                         std::pair{"{}", "custom_id is missing"}, std::pair{R"({"custom_id":7})", "custom_id must be"},
                                         std::pair{R"({"custom_id":"a"})", "method must be"}, std::pair{R"({"custom_id":"a","method":"GET"})", "method must be"},
                                         std::pair{R"({"custom_id":"a","method":"POST","url":"/v1/chat/completions"})", "url must be"},
                                         std::pair{R"({"custom_id":"a","method":"POST","url":"/v1/completions"})", "body is missing"},
                                         std::pair{R"({"custom_id":"a","method":"POST","url":"/v1/completions","body":[]})", "body must be"},
                                         std::pair{R"({"custom_id":"a","method":"POST","url":"/v1/completions","body":{"stream":true}})", "body.stream"}));

TEST(BatchLine, LinesAreFoundAgain) {
  HttpResponse response;
  response.body = R"({"a":"b\n"})";
  const std::string answered = answered_line(line_id("batch_abc", 42), "x", "req_1", response);
  EXPECT_EQ(number_of_line(answered), 42u);
  EXPECT_THAT(answered, HasSubstr("\"status_code\":200"));
  EXPECT_EQ(number_of_line(refused_line(line_id("batch_abc", 7), {"", {400, "bad", "", ""}})), 7u);
  EXPECT_EQ(number_of_line("{\"id\":\"batch_req_abc_"), std::nullopt);
  EXPECT_EQ(number_of_line("{\"id\":\"batch_req_abc_12"), std::nullopt);
  EXPECT_EQ(number_of_line("{}"), std::nullopt);
}

TEST(LineLog, ACrashShortensItToWholeLines) {
  const auto path = fresh_test_dir();
  ASSERT_TRUE(write_file_atomically(path, "one\ntwo\nthr").ok());
  std::vector<std::string> lines;
  const auto note = [&](std::string_view line) { lines.emplace_back(line); };
  {
    auto log = LineLog::open(path, note);
    ASSERT_TRUE(log.ok());
    EXPECT_THAT(lines, testing::ElementsAre("one", "two"));
    EXPECT_TRUE(log->append("three\n").ok());
  }
  EXPECT_EQ(*read_file(path, 100), "one\ntwo\nthree\n");
  std::filesystem::remove(path);
  EXPECT_TRUE(LineLog::open(path, note).ok());
}

TEST(LineLog, AFullDiskTakesNothing) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  auto log = LineLog::open("/dev/full", [](std::string_view) {});
  EXPECT_FALSE(log.ok() && log->append("one\n").ok());
}

TEST(Batch, IsSavedAsItIsShown) {
  Batch batch;
  batch.id = "batch_1";
  batch.endpoint = kEndpoint;
  batch.input_file = "file-1";
  batch.metadata = R"({"a":"b"})";
  batch.enter(BatchState::kValidating, 5);
  batch.enter(BatchState::kFailed, 9);
  batch.error = "the input file has no line";
  batch.total = 3;
  const std::string text = boost::json::serialize(batch_json(batch));
  const auto saved = parse_saved_batch(text);
  ASSERT_TRUE(saved);
  EXPECT_EQ(boost::json::serialize(batch_json(*saved)), text);
  EXPECT_TRUE(saved->finished());
  EXPECT_EQ(saved->error, batch.error);
  EXPECT_FALSE(parse_saved_batch("{}"));
  EXPECT_FALSE(parse_saved_batch("no JSON"));
}

}  // namespace
}  // namespace glyph
