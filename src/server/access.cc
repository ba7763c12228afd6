#include "server/access.h"

#include <fmt/format.h>

#include <sstream>

#include "base/text_file.h"
#include "server/data_url.h"
#include "server/static_files.h"

namespace glyph {
namespace {

constexpr size_t kMaxKeyFileBytes = size_t{1} << 20;
constexpr size_t kMinKeyBytes = 16;

// "localhost:7860" -> "localhost"; "[::1]:80" -> "[::1]"
std::string_view host_name(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, std::min(host.find(']'), host.size() - 1) + 1);
  return host.substr(0, host.find(':'));
}

}  // namespace

Result<std::vector<Digest>> Access::read_keys(const std::filesystem::path& file) {
  const Result<std::string> text = read_file(file, kMaxKeyFileBytes);
  if (!text.ok()) return usage_error(text.status().message());
  std::vector<Digest> keys;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    if (line.size() < kMinKeyBytes) return usage_error(fmt::format("{}: a key is shorter than {} characters", file.string(), kMinKeyBytes));
    keys.push_back(sha256(line));
  }
  if (keys.empty()) return usage_error(fmt::format("{}: holds no key", file.string()));
  return keys;
}

std::string given_key(const HttpRequest& request) {
  constexpr std::string_view kBearer = "Bearer ", kBasic = "Basic ";
  const std::string_view header = request.header("authorization");
  if (header.starts_with(kBearer)) return std::string(header.substr(kBearer.size()));
  if (!header.starts_with(kBasic)) return {};
  const std::optional<std::string> pair = decode_base64(header.substr(kBasic.size()));
  const size_t colon = pair ? pair->find(':') : std::string::npos;
  return colon == std::string::npos ? std::string() : pair->substr(colon + 1);
}

// Digests are compared, and all of them: the time says nothing about a key.
bool Access::knows_key(const HttpRequest& request) const {
  const Digest given = sha256(given_key(request));
  bool known = false;
  for (const Digest& key : keys_) known = (key == given) || known;
  return known;
}

std::optional<ApiError> Access::check(const HttpRequest& request) const {
  const std::string_view host = request.header("host");
  if (loopback_) {
    const std::string_view name = host_name(host);
    if (name != "localhost" && name != "127.0.0.1" && name != "[::1]") {
      return ApiError{421, "this server answers for localhost only", {}, "wrong_host"};
    }
  }
  if (const std::string_view origin = request.header("origin"); !origin.empty()) {
    const size_t scheme = origin.find("://");
    if (scheme == std::string_view::npos || origin.substr(scheme + 3) != host) {
      return ApiError{403, "requests from pages of other sites are not accepted", {}, "wrong_origin"};
    }
  }
  if (keys_.empty() || request.path == "/health" || request.path == "/ready" || knows_key(request)) return std::nullopt;
  ApiError error{401, "a valid API key is needed: Authorization: Bearer KEY, or the key as the password of a browser", {}, "invalid_api_key"};
  // Only for the page: a program, or the page itself, that gets it for a call should not make a browser ask.
  if (is_static_file(request.path)) error.challenge = "Basic realm=\"glyph: an API key is the password\", charset=\"UTF-8\"";
  return error;
}

}  // namespace glyph
