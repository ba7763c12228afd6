#include "server/rate_limiter.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address_v6.hpp>
#include <cmath>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "server/access.h"

namespace glyph {
namespace {

constexpr double kOne = 1 - 1e-9;  // of a sum of rounded parts

}  // namespace

struct RateLimiter::State {
  struct Client {
    std::string name;
    double allowed = 0;  // requests, now; grows with time up to a minute's worth
    Clock::time_point since;
    size_t at_once = 0;
  };

  std::mutex mutex;
  std::list<Client> clients;  // guarded by mutex; idle longest first
  std::unordered_map<std::string, std::list<Client>::iterator> by_name;  // guarded by mutex
};

RateLimiter::RateLimiter(const RateLimits& limits) : limits_(limits), state_(std::make_shared<State>()) {}
RateLimiter::~RateLimiter() = default;

std::string RateLimiter::client_of(const HttpRequest& request, bool by_key) {
  if (by_key) return hex(sha256(given_key(request)));
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address_v6(request.client, error);
  if (error || address.is_loopback() || address.is_v4_mapped()) return request.client;
  Digest network{};
  const auto bytes = address.to_bytes();
  std::copy(bytes.begin(), bytes.begin() + 8, network.begin());
  return hex(network).substr(0, 16);
}

std::variant<std::shared_ptr<void>, ApiError> RateLimiter::admit(const std::string& name, bool is_post, Clock::time_point now) {
  if (limits_.requests_per_minute == 0 && limits_.requests_at_once == 0) return std::shared_ptr<void>();
  const auto a_minute = static_cast<double>(limits_.requests_per_minute);
  const std::lock_guard lock(state_->mutex);
  auto& clients = state_->clients;
  const auto known = state_->by_name.find(name);
  if (known != state_->by_name.end()) {
    clients.splice(clients.end(), clients, known->second);
  } else {
    if (clients.size() >= limits_.max_clients) {
      state_->by_name.erase(clients.front().name);
      clients.pop_front();
    }
    state_->by_name[name] = clients.insert(clients.end(), {name, a_minute, now, 0});
  }
  State::Client& client = clients.back();
  const double minutes = std::chrono::duration<double, std::ratio<60>>(now - client.since).count();
  client.allowed = std::min(a_minute, client.allowed + minutes * a_minute);
  client.since = now;
  if (limits_.requests_per_minute > 0 && client.allowed < kOne) {
    const int seconds = static_cast<int>(std::ceil((1 - client.allowed) * 60 / a_minute));
    return ApiError{429, fmt::format("more than {} requests a minute; try again in {} s", limits_.requests_per_minute, seconds), {},
                    "rate_limit_exceeded", seconds};
  }
  if (is_post && limits_.requests_at_once > 0 && client.at_once >= limits_.requests_at_once) {
    return ApiError{429, fmt::format("{} requests at once are answered already; try again when one is done", limits_.requests_at_once), {},
                    "rate_limit_exceeded"};
  }
  if (limits_.requests_per_minute > 0) --client.allowed;
  if (!is_post || limits_.requests_at_once == 0) return std::shared_ptr<void>();
  ++client.at_once;
  return std::shared_ptr<void>(&client, [state = state_, name](void*) {
    const std::lock_guard released(state->mutex);
    const auto it = state->by_name.find(name);  // it may have been forgotten
    if (it != state->by_name.end() && it->second->at_once > 0) --it->second->at_once;
  });
}

}  // namespace glyph
