#include "base/test_dir.h"
#include "server/access.h"
#include "server/data_url.h"

#include <gtest/gtest.h>

#include <fstream>

namespace glyph {
namespace {

HttpRequest request_of(std::vector<std::pair<std::string, std::string>> headers, const std::string& path = "/v1/models") {
  HttpRequest request;
  request.path = path;
  request.headers = std::move(headers);
  return request;
}

int status_of(const Access& access, const HttpRequest& request) {
  const auto error = access.check(request);
  return error ? error->status : 200;
}

TEST(Access, ARebindingPageIsTurnedAway) {
  const Access access({}, true);
  for (const char* host : {"localhost:7860", "127.0.0.1", "[::1]:7860"}) EXPECT_EQ(status_of(access, request_of({{"host", host}})), 200) << host;
  for (const char* host : {"evil.example:7860", "", "127.0.0.1.evil.example", "[::2]", "["}) {
    EXPECT_EQ(status_of(access, request_of({{"host", host}})), 421) << host;
  }
}

TEST(Access, AnotherSitesPageIsTurnedAway) {
  const Access access({}, true);
  EXPECT_EQ(status_of(access, request_of({{"host", "localhost:1"}, {"origin", "http://localhost:1"}})), 200);
  for (const char* origin : {"http://localhost:2", "https://evil.example", "null"}) {
    EXPECT_EQ(status_of(access, request_of({{"host", "localhost:1"}, {"origin", origin}})), 403) << origin;
  }
}

TEST(Access, KeysGuardEverythingButHealth) {
  const std::string path = fresh_test_dir().string();
  std::ofstream(path) << "# team\nsk-0123456789abcdef\r\nsk-fedcba9876543210\n";
  const auto keys = Access::read_keys(path);
  ASSERT_TRUE(keys.ok());
  const Access access(*keys, false);
  EXPECT_EQ(status_of(access, request_of({})), 401);
  EXPECT_EQ(status_of(access, request_of({}, "/v1/files")), 401);
  EXPECT_EQ(status_of(access, request_of({}, "/metrics")), 401);
  EXPECT_EQ(status_of(access, request_of({}, "/")), 401);
  EXPECT_EQ(status_of(access, request_of({}, "/app.js")), 401);
  EXPECT_EQ(status_of(access, request_of({}, "/health")), 200);
  EXPECT_EQ(status_of(access, request_of({}, "/ready")), 200);
  EXPECT_EQ(status_of(access, request_of({{"authorization", "Bearer sk-fedcba9876543210"}})), 200);
  EXPECT_EQ(status_of(access, request_of({{"authorization", "Bearer sk-fedcba987654321"}})), 401);
  EXPECT_EQ(status_of(access, request_of({{"authorization", "sk-fedcba9876543210"}})), 401);
}

TEST(Access, ABrowserGivesAKeyAsItsPassword) {
  const Access access({sha256("sk:0123456789abcdef")}, false);
  for (const std::string name : {"", "anybody"}) {
    EXPECT_EQ(status_of(access, request_of({{"authorization", "Basic " + encode_base64(name + ":sk:0123456789abcdef")}}, "/")), 200);
  }
  for (const std::string& pair : {encode_base64("sk:0123456789abcdef"), encode_base64("sk:0123456789abcdef:"), encode_base64(""),
                                  std::string("sk:0123456789abcdef"), std::string("*")}) {
    EXPECT_EQ(status_of(access, request_of({{"authorization", "Basic " + pair}}, "/")), 401) << pair;
  }
  // A browser asks for the page's sake, and not when the page calls.
  EXPECT_TRUE(access.check(request_of({}, "/"))->challenge.starts_with("Basic "));
  EXPECT_EQ(access.check(request_of({}, "/v1/models"))->challenge, "Bearer");
}

TEST(Access, AKeyFileMustHoldKeys) {
  const std::string path = fresh_test_dir().string();
  std::ofstream(path) << "short\n";
  EXPECT_FALSE(Access::read_keys(path).ok());
  std::ofstream(path) << "# nothing\n";
  EXPECT_FALSE(Access::read_keys(path).ok());
  EXPECT_FALSE(Access::read_keys("/nonexistent/keys").ok());
}

}  // namespace
}  // namespace glyph
