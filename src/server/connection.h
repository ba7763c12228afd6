// One client's connection: requests in, responses out. Private to the HTTP server; everything here runs on its thread.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <unordered_set>

#include "server/http_server.h"

namespace glyph {

class Connection;

// What connections share.
struct ConnectionHost {
  ConnectionHost(const HttpServerOptions& opts, Router route, RequestObserver observe)
      : options(opts), router(std::move(route)), observer(std::move(observe)) {}
  virtual ~ConnectionHost() = default;
  virtual void end_if_empty() = 0;

  const HttpServerOptions options;
  const Router router;
  const RequestObserver observer;  // may be empty
  // Without the hint of one thread, which lets what that thread posts fall behind what others post after it: the events of a stream
  // would overtake its head.
  boost::asio::io_context io;
  std::unordered_set<Connection*> connections;
  std::atomic<size_t> num_connections{0};
  std::atomic<bool> stopping{false};
  uint16_t bound_port = 0;
};

void start_connection(ConnectionHost& host, boost::asio::ip::tcp::socket socket);
void close_idle_connections(ConnectionHost& host);
void drop_connections(ConnectionHost& host);

}  // namespace glyph
