// What comes before the body of a response.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "server/http_message.h"

namespace glyph {

// How the body ends, and what the connection does then.
struct Framing {
  std::optional<size_t> length;  // of the body in bytes; without: in chunks, or until the connection closes
  bool chunked = false;
  bool keep_alive = false;
};

// Status line and headers, those that every response has included, up to the empty line. request_id: "" names none.
std::string response_head(const HttpResponse& response, std::string_view request_id, const Framing& framing);

}  // namespace glyph
