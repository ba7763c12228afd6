#include "server/http_server.h"

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <unordered_set>

#include "base/log.h"
#include "server/api_error.h"
#include "server/connection.h"
#include "server/response_head.h"

namespace glyph {
namespace asio = boost::asio;
using asio::ip::tcp;

// A client too many: it is told so, and what it sent is read, for a second at most. Closing upon bytes that nobody read would take the
// answer away from it (RFC 9112, section 9.6).
class Farewell : public std::enable_shared_from_this<Farewell> {
 public:
  explicit Farewell(tcp::socket socket) : socket_(std::move(socket)), timer_(socket_.get_executor()) {
    const HttpResponse response = error_response(429, "too many connections are open; try again later");
    text_ = response_head(response, "", {.length = response.body.size()}) + response.body;
  }

  void start() {
    timer_.expires_after(std::chrono::seconds(1));
    timer_.async_wait([self = shared_from_this()](boost::system::error_code) { self->close(); });
    asio::async_write(socket_, asio::buffer(text_), [self = shared_from_this()](boost::system::error_code error, size_t) {
      boost::system::error_code ignored;
      self->socket_.shutdown(tcp::socket::shutdown_send, ignored);
      if (error) return self->close();
      self->read();
    });
  }

 private:
  void read() {
    socket_.async_read_some(asio::buffer(unread_), [self = shared_from_this()](boost::system::error_code error, size_t) {
      if (error) return self->close();
      self->read();
    });
  }
  void close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  std::string text_;
  std::array<char, 4096> unread_;
};

struct HttpServer::Impl : ConnectionHost {
  Impl(const HttpServerOptions& opts, Router route, RequestObserver observe) : ConnectionHost(opts, std::move(route), std::move(observe)) {}

  void accept() {
    acceptor.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (stopping || error == asio::error::operation_aborted) return;
      if (error) {  // out of file descriptors: try again when some are free
        retry.expires_after(std::chrono::milliseconds(100));
        retry.async_wait([this](boost::system::error_code stopped) {
          if (!stopped) accept();
        });
        return;
      }
      if (connections.size() < options.max_connections) start_connection(*this, std::move(socket));
      else std::make_shared<Farewell>(std::move(socket))->start();
      accept();
    });
  }

  void shut_down() {
    if (stopping) return;
    stopping = true;
    boost::system::error_code ignored;
    acceptor.close(ignored);
    retry.cancel();
    close_idle_connections(*this);
    deadline.expires_after(std::chrono::milliseconds(static_cast<int64_t>(options.shutdown_seconds * 1000)));
    deadline.async_wait([this](boost::system::error_code cancelled) {
      if (!cancelled) io.stop();
    });
    end_if_empty();
  }

  void end_if_empty() override {
    if (stopping && connections.empty()) io.stop();
  }

  tcp::acceptor acceptor{io};
  asio::steady_timer retry{io};
  asio::steady_timer deadline{io};
};

Result<std::unique_ptr<HttpServer>> HttpServer::bind(const HttpServerOptions& options, Router router, RequestObserver observer) {
  auto impl = std::make_unique<Impl>(options, std::move(router), std::move(observer));
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(options.host, error);
  if (error) return usage_error(fmt::format("host: '{}' is not an IP address", options.host));
  const tcp::endpoint endpoint(address, options.port);
  const auto failed = [&] {
    return internal_error(fmt::format("cannot listen on {} port {}: {}", options.host, options.port, error.message()));
  };
  if (impl->acceptor.open(endpoint.protocol(), error)) return failed();
  if (impl->acceptor.set_option(asio::socket_base::reuse_address(true), error)) return failed();
  if (impl->acceptor.bind(endpoint, error)) return failed();
  if (impl->acceptor.listen(4096, error)) return failed();
  impl->bound_port = impl->acceptor.local_endpoint(error).port();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { drop_connections(*impl_); }

uint16_t HttpServer::port() const { return impl_->bound_port; }
size_t HttpServer::num_connections() const { return impl_->num_connections.load(); }
bool HttpServer::stopping() const { return impl_->stopping.load(); }

void HttpServer::run() {
  pthread_setname_np(pthread_self(), "glyph-http");
  impl_->accept();
  const auto work = asio::make_work_guard(impl_->io);
  impl_->io.run();
  drop_connections(*impl_);
}

void HttpServer::stop() {
  asio::post(impl_->io, [this] { impl_->shut_down(); });
}

void HttpServer::post(std::function<void()> work) { asio::post(impl_->io, std::move(work)); }

}  // namespace glyph
