#include "server/static_files.h"

#include <fmt/format.h>
#include <zlib.h>

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
  std::string packed;  // with gzip; "" where that is no gain
};

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  constexpr int kGzipFormat = 15 + 16, kMemoryLevel = 9;
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzipFormat, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return whole && packed.size() < bytes.size() ? packed : std::string();
}

// "br, gzip;q=0.5" takes gzip, "gzip;q=0" does not.
bool takes_gzip(std::string_view accepted) {
  while (!accepted.empty()) {
    const size_t end = std::min(accepted.find(','), accepted.size());
    std::string_view coding = accepted.substr(0, end);
    accepted.remove_prefix(std::min(end + 1, accepted.size()));
    coding.remove_prefix(std::min(coding.find_first_not_of(" \t"), coding.size()));
    if (!coding.starts_with("gzip")) continue;
    const std::string_view rest = coding.substr(4);
    const size_t q = rest.find("q=");
    return q == std::string_view::npos || rest.find_first_of("123456789", q) != std::string_view::npos;
  }
  return false;
}

const std::map<std::string_view, Served>& served_files() {
  static const std::map<std::string_view, Served> files = [] {
    std::map<std::string_view, Served> all;
    for (const EmbeddedFile& file : embedded_files()) {
      all.emplace(file.path, Served{file.bytes, fmt::format("\"{}\"", hex(sha256(file.bytes)).substr(0, 32)), gzip(file.bytes)});
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
  const bool packed = !file.packed.empty() && takes_gzip(request.header("accept-encoding"));
  const std::string etag = packed ? file.etag.substr(0, file.etag.size() - 1) + "-gz\"" : file.etag;
  response.headers = {{"Cache-Control", "no-cache"}, {"Vary", "Accept-Encoding"}, {"ETag", etag}, {"Content-Security-Policy", kPolicy},
                      {"X-Frame-Options", "DENY"}, {"Cross-Origin-Opener-Policy", "same-origin"}};
  if (packed) response.headers.emplace_back("Content-Encoding", "gzip");
  if (request.header("if-none-match") == etag) response.status = 304;
  else response.body = packed ? file.packed : std::string(file.bytes);
  return response;
}

}  // namespace glyph
