#include "server/remote_url.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address_v6.hpp>
#include <cctype>
#include <charconv>

namespace glyph {
namespace {

constexpr size_t kMaxHostBytes = 253;

bool is_host_char(unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_'; }

// Printable ASCII without what a URL must escape.
bool is_target_char(unsigned char c) { return c > 0x20 && c < 0x7F && std::string_view("\"<>\\^`{|}").find(static_cast<char>(c)) == std::string_view::npos; }

bool take_prefix(std::string_view& text, std::string_view prefix) {
  const bool same = text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(), [](char a, char b) {
    return a == std::tolower(static_cast<unsigned char>(b));
  });
  if (same) text.remove_prefix(prefix.size());
  return same;
}

bool read_port(std::string_view text, uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

bool read_ipv6(std::string_view text, std::string& host) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address_v6(std::string(text), error);
  if (error || address.scope_id() != 0) return false;
  host = address.to_string();
  return true;
}

// "host", "host:port", "[v6]", "[v6]:port"
bool read_authority(std::string_view text, RemoteUrl& url) {
  std::string_view host = text, rest;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos || !read_ipv6(text.substr(1, end - 1), url.host)) return false;
    rest = text.substr(end + 1);
  } else {
    host = text.substr(0, text.find(':'));
    rest = text.substr(host.size());
    if (host.empty() || host.size() > kMaxHostBytes || !std::all_of(host.begin(), host.end(), is_host_char)) return false;
    url.host = std::string(host);
    for (char& c : url.host) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (rest.empty()) return true;
  return rest.starts_with(':') && read_port(rest.substr(1), url.port);
}

}  // namespace

std::string RemoteUrl::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : fmt::format("[{}]", host);
  return port == (tls ? 443 : 80) ? name : fmt::format("{}:{}", name, port);
}

std::optional<RemoteUrl> parse_remote_url(std::string_view text) {
  if (text.size() > kMaxUrlBytes) return std::nullopt;
  RemoteUrl url;
  if (take_prefix(text, "https://")) url.tls = true;
  else if (!take_prefix(text, "http://")) return std::nullopt;
  url.port = url.tls ? 443 : 80;
  text = text.substr(0, text.find('#'));
  const size_t path = std::min(text.find_first_of("/?"), text.size());
  if (!read_authority(text.substr(0, path), url)) return std::nullopt;
  const std::string_view target = text.substr(path);
  if (!std::all_of(target.begin(), target.end(), is_target_char)) return std::nullopt;
  url.target = (target.starts_with('/') ? "" : "/") + std::string(target);
  return url;
}

std::optional<RemoteUrl> resolve_location(const RemoteUrl& base, std::string_view location) {
  const std::string scheme = base.tls ? "https:" : "http:";
  if (location.starts_with("//")) return parse_remote_url(scheme + std::string(location));
  if (!location.starts_with('/')) return parse_remote_url(location);
  return parse_remote_url(fmt::format("{}//{}{}", scheme, base.authority(), location));
}

}  // namespace glyph
