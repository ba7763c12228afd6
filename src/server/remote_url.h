// http: and https: addresses, as they come in requests and redirects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace glyph {

constexpr size_t kMaxUrlBytes = 2048;

struct RemoteUrl {
  bool tls = false;
  std::string host;    // lower case; an IPv6 address without brackets
  uint16_t port = 80;  // 443 with tls
  std::string target;  // path and query, "/" at least

  // As it stands in a Host header: the port only where it is not the scheme's, an IPv6 address in brackets.
  std::string authority() const;
};

// Nothing for anything that is no plain address: other schemes, a user name, characters that must be escaped, more than kMaxUrlBytes.
// What follows '#' is dropped.
std::optional<RemoteUrl> parse_remote_url(std::string_view text);

// Where a Location header leads from `base`: an absolute address, "//host/path" or "/path". Nothing for any other form.
std::optional<RemoteUrl> resolve_location(const RemoteUrl& base, std::string_view location);

}  // namespace glyph
