#include "server/static_files.h"

#include <fmt/format.h>

#include <map>

#include "base/hash.h"

namespace glyph {
namespace {

constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

std::string_view type_of(std::string_view path) {
  const std::string_view extension = path.substr(std::min(path.rfind('.'), path.size()));
  if (extension == ".html") return "text/html; charset=utf-8";
  if (extension == ".js") return "text/javascript; charset=utf-8";
  if (extension == ".css") return "text/css; charset=utf-8";
  if (extension == ".svg") return "image/svg+xml";
  if (extension == ".png") return "image/png";
  if (extension == ".ico") return "image/x-icon";
  if (extension == ".json" || extension == ".webmanifest") return "application/json";
  return "application/octet-stream";
}

struct Served {
  std::string_view bytes;
  std::string etag;
};

const std::map<std::string_view, Served>& served_files() {
  static const std::map<std::string_view, Served> files = [] {
    std::map<std::string_view, Served> all;
    for (const EmbeddedFile& file : embedded_files()) {
      all.emplace(file.path, Served{file.bytes, fmt::format("\"{}\"", hex(sha256(file.bytes)).substr(0, 32))});
    }
    return all;
  }();
  return files;
}

}  // namespace

bool is_static_file(std::string_view path) { return path == "/" || served_files().contains(path); }

HttpResponse static_response(const HttpRequest& request) {
  HttpResponse response;
  const std::string_view path = request.path == "/" ? "/index.html" : std::string_view(request.path);
  const auto it = served_files().find(path);
  if (it == served_files().end()) {
    response.status = 0;
    return response;
  }
  const Served& file = it->second;
  response.content_type = type_of(path);
  response.headers = {{"Cache-Control", "no-cache"}, {"ETag", file.etag}, {"Content-Security-Policy", kPolicy},
                      {"X-Frame-Options", "DENY"}, {"Cross-Origin-Opener-Policy", "same-origin"}};
  if (request.header("if-none-match") == file.etag) response.status = 304;
  else response.body = std::string(file.bytes);
  return response;
}

}  // namespace glyph
