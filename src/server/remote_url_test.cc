#include "server/remote_url.h"

#include <gtest/gtest.h>

namespace glyph {
namespace {

TEST(RemoteUrl, ReadsItsParts) {
  const auto url = parse_remote_url("HTTPS://Images.Example:8443/a/b.png?size=1#top");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "images.example");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b.png?size=1");
  EXPECT_EQ(url->authority(), "images.example:8443");
  EXPECT_EQ(parse_remote_url("http://a.example")->target, "/");
  EXPECT_EQ(parse_remote_url("http://a.example?x")->target, "/?x");
  EXPECT_EQ(parse_remote_url("https://a.example")->port, 443);
  EXPECT_EQ(parse_remote_url("https://a.example")->authority(), "a.example");
  EXPECT_EQ(parse_remote_url("http://[0:0::1]:81/")->authority(), "[::1]:81");
}

TEST(RemoteUrl, RefusesWhatIsNone) {
  for (const char* text : {"", "http:", "http://", "http:///x", "ftp://a.example/", "file:///etc/passwd", "//a.example/", "http://user@a.example/",
                           "http://user:word@a.example/", "http://a.example:0/", "http://a.example:65536/", "http://a.example:/", "http://a.example:8x/",
                           "http://a b/", "http://a.example/a b", "http://a.example/\r\nHost: b", "http://a.example/\xc3\xa4", "http://[::1/", "http://[::1]x/",
                           "http://[fe80::1%25eth0]/", "http://b\xc3\xbc.example/", "http://a.example/{x}", "http://a%2eexample/"}) {
    EXPECT_FALSE(parse_remote_url(text)) << text;
  }
  EXPECT_FALSE(parse_remote_url("http://a.example/" + std::string(kMaxUrlBytes, 'x')));
  EXPECT_FALSE(parse_remote_url("http://" + std::string(300, 'x') + "/"));
}

TEST(RemoteUrl, LocationsLeadOn) {
  const RemoteUrl base = *parse_remote_url("https://a.example:8443/x/y?z");
  EXPECT_EQ(resolve_location(base, "/b?c")->target, "/b?c");
  EXPECT_EQ(resolve_location(base, "/b")->authority(), "a.example:8443");
  EXPECT_EQ(resolve_location(base, "//b.example/c")->host, "b.example");
  EXPECT_TRUE(resolve_location(base, "//b.example/c")->tls);
  EXPECT_FALSE(resolve_location(base, "http://a.example/")->tls);
  for (const char* location : {"", "b", "../b", "javascript:alert(1)", "/a\r\nb"}) EXPECT_FALSE(resolve_location(base, location)) << location;
}

}  // namespace
}  // namespace glyph
