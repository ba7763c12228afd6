// Waiting for one operation on a socket, with an end and a stop token: for clients that do one thing at a time.
#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <optional>
#include <stop_token>

namespace glyph {

constexpr auto kStopPause = std::chrono::milliseconds(50);  // between looks at the stop token

// `start` is given the handler of one asynchronous operation of `stream`, which is on `io`. Runs it to its end -> what came of it; nothing
// when `end` or a stop came first: then the stream is closed and the operation over.
template <typename Start>
std::optional<boost::system::error_code> wait_for(boost::asio::io_context& io, boost::beast::tcp_stream& stream,
                                                  std::chrono::steady_clock::time_point end, const std::stop_token& stop, Start start) {
  using Clock = std::chrono::steady_clock;
  std::optional<boost::system::error_code> result;
  start([&](boost::system::error_code error, const auto&...) { result = error; });
  io.restart();
  while (!result && !stop.stop_requested() && Clock::now() < end) io.run_one_until(std::min(end, Clock::now() + kStopPause));
  if (result) return result;
  stream.close();
  io.restart();
  io.run();  // the handler sees its end
  return std::nullopt;
}

}  // namespace glyph
