// Addresses and the list of hosts, from any bytes: no crash, and what is read is read again from how it is written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "server/image_hosts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto url = glyph::parse_remote_url(text)) {
    const auto again = glyph::parse_remote_url((url->tls ? "https://" : "http://") + url->authority() + url->target);
    if (url->authority().size() + url->target.size() + 8 <= glyph::kMaxUrlBytes && (!again || again->host != url->host || again->port != url->port || again->target != url->target)) {
      std::abort();
    }
    if (const auto next = glyph::resolve_location(*url, text); !next || next->host != url->host) std::abort();
  }
  if (const auto hosts = glyph::ImageHosts::parse(text); hosts.ok() && hosts->empty()) std::abort();
  return 0;
}
