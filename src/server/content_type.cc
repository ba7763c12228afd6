#include "server/content_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace glyph {
namespace {

constexpr std::array<std::string_view, 4> kTexts{"application/json", "text/json", "text/plain", "application/x-www-form-urlencoded"};
constexpr size_t kMostShown = 80;  // bytes of a header in a message; header values need not be UTF-8

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

bool has_body(const HttpRequest& request) {
  const std::string_view length = request.header("content-length");
  return !request.header("transfer-encoding").empty() || (!length.empty() && length != "0");
}

// "text/plain; charset=\"utf-8\"" -> "utf-8"
std::string charset_of(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view one = trimmed(parameters.substr(0, parameters.find(';')));
    parameters.remove_prefix(std::min(parameters.find(';'), parameters.size() - 1) + 1);
    const size_t equals = one.find('=');
    if (equals == std::string_view::npos || lower(one.substr(0, equals)) != "charset") continue;
    std::string value = lower(one.substr(equals + 1));
    std::erase(value, '"');
    return value;
  }
  return {};
}

ApiError unsupported(std::string message) { return {415, std::move(message), {}, "unsupported_media_type"}; }

}  // namespace

std::optional<ApiError> check_content_type(const HttpRequest& request, BodyKind kind) {
  if (!has_body(request)) return std::nullopt;
  const std::string encoding = lower(trimmed(request.header("content-encoding")));
  if (!encoding.empty() && encoding != "identity") return unsupported(fmt::format("a body in the Content-Encoding {} is not accepted; send it unpacked", beginning_of(encoding, kMostShown)));
  const std::string_view header = request.header("content-type");
  const std::string type = lower(trimmed(header.substr(0, header.find(';'))));
  if (kind == BodyKind::kForm) {
    if (type == "multipart/form-data") return std::nullopt;
    return unsupported(fmt::format("an upload must be multipart/form-data, not {}", type.empty() ? "a body without a Content-Type" : beginning_of(type, kMostShown)));
  }
  const bool is_json = type.starts_with("application/") && type.ends_with("+json");
  if (!type.empty() && !is_json && std::find(kTexts.begin(), kTexts.end(), type) == kTexts.end()) {
    return unsupported(fmt::format("the body must be application/json, not {}", beginning_of(type, kMostShown)));
  }
  const std::string charset = charset_of(header.substr(std::min(header.find(';'), header.size())));
  if (charset.empty() || charset == "utf-8" || charset == "utf8" || charset == "us-ascii") return std::nullopt;
  return unsupported(fmt::format("JSON must be in UTF-8, not in {}", beginning_of(charset, kMostShown)));
}

}  // namespace glyph
