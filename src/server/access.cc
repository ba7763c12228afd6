#include "server/access.h"

#include <fmt/format.h>

#include <sstream>

#include "base/text_file.h"
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

// Digests are compared, and all of them: the time says nothing about a key.
bool Access::knows_key(const HttpRequest& request) const {
  constexpr std::string_view kBearer = "Bearer ";
  const std::string_view header = request.header("authorization");
  if (!header.starts_with(kBearer)) return false;
  const Digest given = sha256(header.substr(kBearer.size()));
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
  // The page itself is open: it asks for the key.
  const bool open = request.path == "/health" || request.path == "/ready" || is_static_file(request.path);
  if (!open && !keys_.empty() && !knows_key(request)) {
    return ApiError{401, "a valid API key is needed: Authorization: Bearer KEY", {}, "invalid_api_key"};
  }
  return std::nullopt;
}

}  // namespace glyph
