// Who may ask: API keys, the Host a browser was told, the page a browser is on.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "glyph/status.h"
#include "server/api_error.h"
#include "server/http_message.h"

namespace glyph {

// The key that a request gives: "Bearer KEY", or the password of "Basic ..." (RFC 7617), which is how a browser gives one. "" for none.
std::string given_key(const HttpRequest& request);

class Access {
 public:
  // One key a line, # comments. kUsage: no such file, no key in it, a key shorter than 16 characters.
  static Result<std::vector<Digest>> read_keys(const std::filesystem::path& file);

  // `keys` may be empty: nobody needs one. `loopback`: the server listens for this machine only, so that another Host name means a
  // page that was rebound to us.
  Access(std::vector<Digest> keys, bool loopback) : keys_(std::move(keys)), loopback_(loopback) {}

  // What forbids the request: 401, 403 (Origin) or 421 (Host).
  std::optional<ApiError> check(const HttpRequest& request) const;

 private:
  bool knows_key(const HttpRequest& request) const;

  const std::vector<Digest> keys_;
  const bool loopback_;
};

}  // namespace glyph
