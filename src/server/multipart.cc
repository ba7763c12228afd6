#include "server/multipart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace glyph {
namespace {

constexpr size_t kMaxPartHeaderBytes = 4096;

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// The value of `name` in "form-data; name=\"a\"; filename=\"b\"". Quotes may be escaped as browsers (%22) or RFC 2616 (\") do.
std::string parameter(std::string_view header, std::string_view name) {
  for (size_t at = header.find(';'); at != std::string_view::npos; at = header.find(';', at)) {
    at = header.find_first_not_of("; \t", at);
    if (at == std::string_view::npos) break;
    const size_t equals = header.find('=', at);
    if (equals == std::string_view::npos) break;
    const std::string_view key = header.substr(at, equals - at);
    std::string value;
    at = equals + 1;
    if (at < header.size() && header[at] == '"') {
      for (++at; at < header.size() && header[at] != '"'; ++at) {
        if (header[at] == '\\' && at + 1 < header.size() && header[at + 1] == '"') ++at;
        value += header[at];
      }
    } else {
      const size_t end = std::min(header.find(';', at), header.size());
      value = std::string(header.substr(at, end - at));
      at = end;
    }
    if (equals_ignoring_case(key, name)) return value;
  }
  return {};
}

Result<FormPart> parse_part(std::string_view part) {
  const size_t end = part.substr(0, kMaxPartHeaderBytes).find("\r\n\r\n");
  if (end == std::string_view::npos) return usage_error("a part of the form has no header, or one that is too long");
  FormPart found;
  std::string_view headers = part.substr(0, end);
  while (!headers.empty()) {
    const size_t line_end = std::min(headers.find("\r\n"), headers.size());
    const std::string_view line = headers.substr(0, line_end);
    headers.remove_prefix(std::min(line_end + 2, headers.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equals_ignoring_case(line.substr(0, colon), "content-disposition")) continue;
    found.name = parameter(line, "name");
    found.file_name = parameter(line, "filename");
  }
  if (found.name.empty()) return usage_error("a part of the form has no name");
  found.bytes = part.substr(end + 4);
  return found;
}

}  // namespace

Result<std::string> multipart_boundary(std::string_view content_type) {
  constexpr std::string_view kType = "multipart/form-data";
  if (equals_ignoring_case(content_type.substr(0, kType.size()), kType)) {
    std::string boundary = parameter(content_type, "boundary");
    if (!boundary.empty() && boundary.size() <= 70) return boundary;
  }
  return usage_error("the body is not multipart/form-data with a boundary");
}

Result<std::vector<FormPart>> parse_multipart(std::string_view body, std::string_view boundary) {
  const std::string delimiter = fmt::format("\r\n--{}", boundary);
  const std::string_view first = std::string_view(delimiter).substr(2);
  size_t at = body.starts_with(first) ? 0 : body.find(delimiter);
  if (at == std::string_view::npos) return usage_error("the form does not begin with its boundary");
  at += at == 0 && body.starts_with(first) ? first.size() : delimiter.size();
  std::vector<FormPart> parts;
  for (;;) {
    if (body.substr(at, 2) == "--") return parts;
    if (body.substr(at, 2) != "\r\n") return usage_error("the form has a damaged boundary");
    at += 2;
    const size_t end = body.find(delimiter, at);
    if (end == std::string_view::npos) return usage_error("the form was cut off: its last boundary is missing");
    if (parts.size() == kMaxFormParts) return usage_error(fmt::format("the form has more than {} parts", kMaxFormParts));
    GLYPH_ASSIGN_OR_RETURN(FormPart part, parse_part(body.substr(at, end - at)));
    parts.push_back(std::move(part));
    at = end + delimiter.size();
  }
}

}  // namespace glyph
