#include "server/static_files.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>

namespace glyph {
namespace {

HttpRequest get(const std::string& path, const std::string& accept_encoding = {}, const std::string& have = {}) {
  HttpRequest request;
  request.method = "GET";
  request.path = path;
  if (!accept_encoding.empty()) request.headers.emplace_back("accept-encoding", accept_encoding);
  if (!have.empty()) request.headers.emplace_back("if-none-match", have);
  return request;
}

std::string header(const HttpResponse& response, const std::string& name) {
  const auto it = std::find_if(response.headers.begin(), response.headers.end(), [&](const auto& entry) { return entry.first == name; });
  return it == response.headers.end() ? "" : it->second;
}

std::string unpacked(const std::string& packed) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string bytes(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes.resize(stream.total_out);
  inflateEnd(&stream);
  return bytes;
}

TEST(StaticFiles, ArePackedForThoseWhoUnpack) {
  size_t plain_bytes = 0, packed_bytes = 0;
  for (const EmbeddedFile& file : embedded_files()) {
    const HttpResponse plain = static_response(get(std::string(file.path))), packed = static_response(get(std::string(file.path), "br, gzip"));
    ASSERT_EQ(plain.body, file.bytes) << file.path;
    EXPECT_EQ(header(plain, "Content-Encoding"), "");
    EXPECT_EQ(header(packed, "Vary"), "Accept-Encoding");
    EXPECT_EQ(header(packed, "Content-Encoding") == "gzip" ? unpacked(packed.body) : packed.body, file.bytes) << file.path;
    plain_bytes += plain.body.size();
    packed_bytes += packed.body.size();
  }
  EXPECT_LT(packed_bytes * 2, plain_bytes);
}

TEST(StaticFiles, AnEncodingThatIsRefusedIsNotUsed) {
  for (const char* accepted : {"", "identity", "gzip;q=0", "gzip; q=0.0", "br", "x-gzip"}) {
    EXPECT_EQ(header(static_response(get("/", accepted)), "Content-Encoding"), "") << accepted;
  }
  for (const char* accepted : {"gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.8"}) {
    EXPECT_EQ(header(static_response(get("/", accepted)), "Content-Encoding"), "gzip") << accepted;
  }
}

TEST(StaticFiles, WhatAClientHasIsNotSentAgain) {
  const std::string plain = header(static_response(get("/app.js")), "ETag"), packed = header(static_response(get("/app.js", "gzip")), "ETag");
  EXPECT_NE(plain, packed);
  EXPECT_EQ(static_response(get("/app.js", "gzip", packed)).status, 304);
  EXPECT_EQ(static_response(get("/app.js", "", plain)).status, 304);
  EXPECT_EQ(static_response(get("/app.js", "gzip", plain)).status, 200);
  EXPECT_EQ(static_response(get("/none.js")).status, 0);
  EXPECT_TRUE(is_static_file("/"));
  EXPECT_FALSE(is_static_file("/none.js"));
}

}  // namespace
}  // namespace glyph
