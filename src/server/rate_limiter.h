// RateLimiter: how often, and how many at once, one client may ask. A client is a key, or an address where there are no keys.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <variant>

#include "server/api_error.h"
#include "server/http_message.h"

namespace glyph {

struct RateLimits {
  size_t requests_per_minute = 0;  // of one client; 0: any number
  size_t requests_at_once = 0;     // POSTs of one client that are not answered yet; 0: any number
  size_t max_clients = 10'000;     // remembered; the one that was idle longest is forgotten
};

// Any thread.
class RateLimiter {
 public:
  using Clock = std::chrono::steady_clock;

  explicit RateLimiter(const RateLimits& limits);
  ~RateLimiter();

  // Who asks: the key, else the address, of IPv6 its first half.
  static std::string client_of(const HttpRequest& request, bool by_key);

  // Held while the request is answered (nullptr where nothing is counted), or 429 with the time to wait.
  std::variant<std::shared_ptr<void>, ApiError> admit(const std::string& client, bool is_post, Clock::time_point now = Clock::now());

 private:
  struct State;
  const RateLimits limits_;
  const std::shared_ptr<State> state_;
};

}  // namespace glyph
