#include "server/rate_limiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace glyph {
namespace {

using Admission = std::variant<std::shared_ptr<void>, ApiError>;

bool admitted(const Admission& admission) { return std::holds_alternative<std::shared_ptr<void>>(admission); }

TEST(RateLimiter, CountsTheRequestsOfAMinute) {
  RateLimiter limiter({.requests_per_minute = 6});
  const RateLimiter::Clock::time_point start{};
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(admitted(limiter.admit("a", false, start)));
  const Admission refused = limiter.admit("a", false, start);
  ASSERT_FALSE(admitted(refused));
  EXPECT_EQ(std::get<ApiError>(refused).status, 429);
  EXPECT_EQ(std::get<ApiError>(refused).retry_after_seconds, 10);
  EXPECT_TRUE(admitted(limiter.admit("b", false, start)));
  EXPECT_FALSE(admitted(limiter.admit("a", false, start + std::chrono::seconds(9))));
  EXPECT_TRUE(admitted(limiter.admit("a", false, start + std::chrono::seconds(10))));
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(admitted(limiter.admit("a", false, start + std::chrono::hours(1)))) << i;
  EXPECT_FALSE(admitted(limiter.admit("a", false, start + std::chrono::hours(1))));
}

TEST(RateLimiter, CountsWhatIsAnsweredAtOnce) {
  RateLimiter limiter({.requests_at_once = 2});
  Admission first = limiter.admit("a", true), second = limiter.admit("a", true);
  EXPECT_FALSE(admitted(limiter.admit("a", true)));
  EXPECT_TRUE(admitted(limiter.admit("a", false)));
  EXPECT_TRUE(admitted(limiter.admit("b", true)));
  first = Admission();
  EXPECT_TRUE(admitted(limiter.admit("a", true)));
}

TEST(RateLimiter, ForgetsTheIdlestClient) {
  RateLimiter limiter({.requests_per_minute = 1, .requests_at_once = 1, .max_clients = 3});
  std::vector<Admission> held;
  for (const char* name : {"a", "b", "c", "d"}) held.push_back(limiter.admit(name, true));
  EXPECT_TRUE(admitted(limiter.admit("a", true)));
  EXPECT_FALSE(admitted(limiter.admit("d", true)));
  held.clear();  // a's slot was forgotten, then taken anew: nothing goes below zero
}

TEST(RateLimiter, AClientIsAKeyOrAnAddress) {
  HttpRequest request;
  request.client = "192.0.2.7";
  EXPECT_EQ(RateLimiter::client_of(request, false), "192.0.2.7");
  request.client = "2001:db8:1:2:3:4:5:6";
  const std::string network = RateLimiter::client_of(request, false);
  request.client = "2001:db8:1:2::9";
  EXPECT_EQ(RateLimiter::client_of(request, false), network);
  request.client = "2001:db8:1:3::9";
  EXPECT_NE(RateLimiter::client_of(request, false), network);
  request.client = "::1";
  EXPECT_EQ(RateLimiter::client_of(request, false), "::1");
  request.headers = {{"authorization", "Bearer x"}};
  const std::string with_key = RateLimiter::client_of(request, true);
  EXPECT_EQ(with_key.find("Bearer"), std::string::npos);
  request.client = "192.0.2.8";
  EXPECT_EQ(RateLimiter::client_of(request, true), with_key);
}

}  // namespace
}  // namespace glyph
