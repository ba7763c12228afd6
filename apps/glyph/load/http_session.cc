#include "load/http_session.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <utility>

#include "server/socket_wait.h"

namespace glyph {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
namespace {

constexpr auto kTimeLimit = std::chrono::minutes(10);
constexpr uint64_t kMaxAnswerBytes = 64 << 20;

}  // namespace

struct HttpSession::Connection {
  asio::io_context io;
  beast::tcp_stream stream{io};
  beast::flat_buffer buffer;

  // Runs one operation to its end, or closes the socket when its time is over.
  template <typename Start>
  Result<error_code> wait(Clock::time_point end, const std::stop_token& stop, Start start) {
    if (const auto result = wait_for(io, stream, end, stop, start)) return *result;
    return stop.stop_requested() ? cancelled("the measurement was stopped") : deadline("the server took longer than ten minutes to answer");
  }
};

HttpSession::HttpSession(RemoteUrl server, std::string key, std::stop_token stop)
    : server_(std::move(server)), key_(std::move(key)), stop_(std::move(stop)) {}

HttpSession::~HttpSession() = default;

Result<SessionAnswer> HttpSession::ask(const SessionRequest& request, const std::function<void(std::string_view)>& on_body) {
  const bool reused = connection_ != nullptr;
  bool heard = false;
  const auto listen = [&](std::string_view body) {
    heard = true;
    if (on_body) on_body(body);
  };
  Result<SessionAnswer> answer = exchange(request, listen);
  if (answer.ok()) return answer;
  connection_ = nullptr;
  // A server may close a connection that was quiet: once more, on a new one.
  if (!reused || heard || answer.status().code() != StatusCode::kInternal) return answer;
  answer = exchange(request, listen);
  if (!answer.ok()) connection_ = nullptr;
  return answer;
}

Result<SessionAnswer> HttpSession::exchange(const SessionRequest& request, const std::function<void(std::string_view)>& on_body) {
  const Clock::time_point end = Clock::now() + kTimeLimit;
  const auto failed = [&](std::string_view what, const error_code& error) {
    return internal_error(fmt::format("{}: {}: {}", server_.authority(), what, error.message()));
  };
  error_code error;
  if (connection_ == nullptr) {
    connection_ = std::make_unique<Connection>();
    asio::ip::tcp::resolver resolver(connection_->io);
    const auto addresses = resolver.resolve(server_.host, std::to_string(server_.port), error);
    if (error) return failed("the host is not known", error);
    GLYPH_ASSIGN_OR_RETURN(error, connection_->wait(end, stop_, [&](auto done) { connection_->stream.async_connect(addresses, done); }));
    if (error) return failed("cannot be reached", error);
    connection_->stream.socket().set_option(asio::ip::tcp::no_delay(true), error);
  }
  http::request<http::string_body> message(http::string_to_verb(request.method), request.target, 11, request.body);
  message.set(http::field::host, server_.authority());
  message.set(http::field::user_agent, "glyph");
  if (!request.body.empty()) message.set(http::field::content_type, request.content_type);
  if (!key_.empty()) message.set(http::field::authorization, "Bearer " + key_);
  message.prepare_payload();
  GLYPH_ASSIGN_OR_RETURN(error, connection_->wait(end, stop_, [&](auto done) { http::async_write(connection_->stream, message, done); }));
  if (error) return failed("cannot be asked", error);

  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswerBytes);
  size_t heard = 0;
  while (!parser.is_done()) {
    GLYPH_ASSIGN_OR_RETURN(error, connection_->wait(end, stop_, [&](auto done) {
      http::async_read_some(connection_->stream, connection_->buffer, parser, done);
    }));
    if (error) return failed("its answer cannot be read", error);
    const std::string& body = parser.get().body();
    if (body.size() > heard) on_body(body);
    heard = body.size();
  }
  if (!parser.keep_alive()) connection_ = nullptr;
  return SessionAnswer{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

}  // namespace glyph
