#include "server/request_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/test_dir.h"
#include "base/text_file.h"

namespace glyph {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

RequestRecord record() {
  RequestRecord one;
  one.id = "req_1";
  one.method = "POST";
  one.route = "/v1/chat/completions";
  one.status = 200;
  one.ms = 12.34567;
  one.bytes_in = 120;
  one.bytes_out = 900;
  one.client = "127.0.0.1";
  return one;
}

TEST(RequestLine, HoldsWhatTheRecordHolds) {
  EXPECT_EQ(request_line(record(), 1'769'860'800'007),
            R"({"time":1769860800.007,"level":"info","request":"req_1","method":"POST","route":"/v1/chat/completions","status":200,)"
            R"("ms":12.346,"bytes_in":120,"bytes_out":900,"client":"127.0.0.1"})" "\n");
  RequestRecord answered = record();
  answered.answer = AnswerFigures{700, 650, 20, 8, 6, 30, 40, {"stop", "length"}};
  EXPECT_THAT(request_line(answered, 0), HasSubstr(R"("prompt_tokens":700,"cached_tokens":650,"completion_tokens":20,"ttft_ms":8.000,)"
                                                   R"("finish_reasons":["stop","length"]})"));
}

TEST(RequestLog, AppendsWholeLines) {
  const fs::path file = fresh_test_dir();
  for (int i = 0; i < 2; ++i) {
    auto log = RequestLog::open(file);
    ASSERT_TRUE(log.ok()) << log.status().message();
    (*log)->write(record());
  }
  const auto text = read_file(file, 10'000);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(std::count(text->begin(), text->end(), '\n'), 2);
  EXPECT_EQ(fs::status(file).permissions() & fs::perms::others_all, fs::perms::none);
  fs::resize_file(file, 0);
  auto log = RequestLog::open(file);
  fs::resize_file(file, 0);  // as logrotate does under a running server
  (*log)->write(record());
  EXPECT_EQ(read_file(file, 10'000)->front(), '{');
  fs::remove(file);
}

TEST(RequestLog, AFileThatCannotBeIsNamed) {
  const auto log = RequestLog::open("/nowhere/at/all.log");
  ASSERT_FALSE(log.ok());
  EXPECT_EQ(log.status().code(), StatusCode::kUsage);
  EXPECT_THAT(log.status().message(), HasSubstr("/nowhere/at/all.log: No such file"));
}

TEST(RoutePattern, HidesWhatAClientWrote) {
  EXPECT_EQ(route_pattern("/v1/documents"), "/v1/documents");
  EXPECT_EQ(route_pattern("/v1/documents/doc_1/pages/3"), "/v1/documents/{id}/pages/{n}");
  EXPECT_EQ(route_pattern("/v1/documents/doc_1/secret"), "other");
  EXPECT_EQ(route_pattern("/v1/documents/"), "other");
  EXPECT_EQ(route_pattern("/v1/documents/a/b/c/d/e/f"), "other");
  EXPECT_EQ(route_pattern("/"), "/{file}");
  EXPECT_EQ(route_pattern("/app.js"), "/{file}");
  for (const char* path : {"", "v1", "//", "/my secret words", "/v1/files/x/secret"}) EXPECT_EQ(route_pattern(path), "other") << path;
  EXPECT_EQ(known_method("POST"), "POST");
  EXPECT_EQ(known_method("SECRET"), "other");
}

}  // namespace
}  // namespace glyph
