#include "server/response_head.h"

#include <fmt/format.h>

#include <boost/beast/http/status.hpp>

namespace glyph {
namespace http = boost::beast::http;

std::string response_head(const HttpResponse& response, std::string_view request_id, const Framing& framing) {
  const std::string_view reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(response.status)));
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nServer: glyph\r\n", response.status, reason);
  if (!request_id.empty()) head += fmt::format("X-Request-Id: {}\r\n", request_id);
  head += fmt::format("X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nContent-Type: {}\r\n", response.content_type);
  bool cached = false;
  for (const auto& [name, value] : response.headers) {
    head += fmt::format("{}: {}\r\n", name, value);
    cached = cached || name == "Cache-Control";
  }
  if (!cached) head += "Cache-Control: no-store\r\n";
  if (framing.length) head += fmt::format("Content-Length: {}\r\n", *framing.length);
  else if (framing.chunked) head += "Transfer-Encoding: chunked\r\n";
  head += framing.keep_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return head;
}

}  // namespace glyph
