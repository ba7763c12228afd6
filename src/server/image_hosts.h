// ImageHosts: the hosts that pictures may be fetched from.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"
#include "server/remote_url.h"

namespace glyph {

// Addresses that no stranger's picture lies at: of this machine, of local networks, of no network at all.
bool is_private_address(const boost::asio::ip::address& address);

// Any thread.
class ImageHosts {
 public:
  ImageHosts() = default;  // none
  // "images.example,*.pictures.example,10.0.0.5:8080": names, names below one, addresses; each with a port, or for 80 and 443. kUsage
  // names what is none of these.
  static Result<ImageHosts> parse(std::string_view list);

  bool empty() const { return hosts_.empty(); }
  bool allows(const RemoteUrl& url) const;
  // Whether a host that is allowed may be there: a private address must be in the list itself.
  bool allows_address(const boost::asio::ip::address& address, uint16_t port) const;

 private:
  struct Host {
    std::string name;    // or an address
    bool below = false;  // names below it
    uint16_t port = 0;   // 0: 80 and 443

    bool has_port(uint16_t asked) const { return port == 0 ? asked == 80 || asked == 443 : asked == port; }
  };
  std::vector<Host> hosts_;
};

}  // namespace glyph
