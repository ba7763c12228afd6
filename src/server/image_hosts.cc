#include "server/image_hosts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

namespace glyph {
namespace ip = boost::asio::ip;
namespace {

// RFC 6890 and its registry, and multicast.
constexpr std::array kPrivateV4{"0.0.0.0/8",     "10.0.0.0/8",   "100.64.0.0/10", "127.0.0.0/8",     "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
                                "192.0.2.0/24",  "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"};
constexpr std::array kPrivateV6{"::/127", "100::/64", "2001::/23", "2001:db8::/32", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8"};
// Prefixes behind which an IPv4 address stands, and the byte at which it begins.
struct Embedding {
  const char* network;
  size_t offset;
};
constexpr std::array<Embedding, 3> kEmbeddings{{{"::ffff:0:0/96", 12}, {"64:ff9b::/96", 12}, {"2002::/16", 2}}};

bool is_in(const ip::address_v6& address, const char* network) {
  const ip::network_v6 net = ip::make_network_v6(network);
  return ip::network_v6(address, net.prefix_length()).canonical() == net.canonical();
}

bool is_private(const ip::address_v4& address) {
  return std::any_of(kPrivateV4.begin(), kPrivateV4.end(), [&](const char* network) {
    const ip::network_v4 net = ip::make_network_v4(network);
    return ip::network_v4(address, net.prefix_length()).canonical() == net.canonical();
  });
}

}  // namespace

bool is_private_address(const ip::address& address) {
  if (address.is_v4()) return is_private(address.to_v4());
  const ip::address_v6 v6 = address.to_v6();
  for (const Embedding& embedding : kEmbeddings) {
    if (!is_in(v6, embedding.network)) continue;
    ip::address_v4::bytes_type bytes{};
    std::copy_n(v6.to_bytes().begin() + static_cast<ptrdiff_t>(embedding.offset), bytes.size(), bytes.begin());
    return is_private(ip::address_v4(bytes));
  }
  return std::any_of(kPrivateV6.begin(), kPrivateV6.end(), [&](const char* network) { return is_in(v6, network); });
}

Result<ImageHosts> ImageHosts::parse(std::string_view list) {
  ImageHosts hosts;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    std::string_view word = list.substr(begin, end - begin);
    begin = end + 1;
    const std::string_view whole = word;
    Host host;
    if (word.starts_with("*.")) {
      host.below = true;
      word.remove_prefix(2);
    }
    const auto url = parse_remote_url(fmt::format("http://{}", word));
    if (!url || url->target != "/" || word.ends_with('/')) {
      return usage_error(fmt::format("image-hosts: '{}' is not HOST, HOST:PORT or *.HOST", whole));
    }
    host.name = url->host;
    const size_t colon = word.rfind(':');
    if (colon != std::string_view::npos && word.find(']', colon) == std::string_view::npos) host.port = url->port;
    hosts.hosts_.push_back(std::move(host));
  }
  return hosts;
}

bool ImageHosts::allows(const RemoteUrl& url) const {
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const Host& host) {
    return host.has_port(url.port) && (host.below ? url.host.ends_with("." + host.name) : url.host == host.name);
  });
}

bool ImageHosts::allows_address(const ip::address& address, uint16_t port) const {
  if (!is_private_address(address)) return true;
  const std::string text = address.to_string();
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const Host& host) { return !host.below && host.name == text && host.has_port(port); });
}

}  // namespace glyph
