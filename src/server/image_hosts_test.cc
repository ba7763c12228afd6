#include "server/image_hosts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

namespace ip = boost::asio::ip;

bool allows(const ImageHosts& hosts, const char* url) { return hosts.allows(*parse_remote_url(url)); }

TEST(ImageHosts, AllowWhatIsNamed) {
  const auto hosts = ImageHosts::parse("images.example,*.Pictures.example,10.0.0.5:8080,[::1]:81,cdn.example:444");
  ASSERT_TRUE(hosts.ok()) << hosts.status().message();
  for (const char* url : {"http://images.example/", "https://IMAGES.example/", "http://a.pictures.example/", "http://a.b.pictures.example/",
                          "http://10.0.0.5:8080/", "http://[::1]:81/", "https://cdn.example:444/"}) {
    EXPECT_TRUE(allows(*hosts, url)) << url;
  }
  for (const char* url : {"http://images.example:8080/", "http://pictures.example/", "http://evilpictures.example/", "http://images.example.evil.example/",
                          "http://10.0.0.5/", "http://10.0.0.50:8080/", "http://[::1]/", "https://cdn.example/", "http://localhost/", "http://images.example./"}) {
    EXPECT_FALSE(allows(*hosts, url)) << url;
  }
  EXPECT_FALSE(allows(ImageHosts(), "http://images.example/"));
  EXPECT_TRUE(ImageHosts().empty());
}

TEST(ImageHosts, NamesWhatIsNoHost) {
  for (const char* list : {"", ",", "a.example,", "a b", "http://a.example", "a.example/", "a.example/x", "user@a.example", "a.example:x", "a.example:0", "*", "a.*"}) {
    const auto hosts = ImageHosts::parse(list);
    ASSERT_FALSE(hosts.ok()) << list;
    EXPECT_THAT(hosts.status().message(), testing::HasSubstr("image-hosts")) << list;
  }
}

TEST(ImageHosts, PrivateAddressesMustBeInTheList) {
  for (const char* address : {"127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
                              "255.255.255.255", "::", "::1", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::10.0.0.1", "2002:7f00:1::"}) {
    EXPECT_TRUE(is_private_address(ip::make_address(address))) << address;
    EXPECT_FALSE(ImageHosts::parse("images.example")->allows_address(ip::make_address(address), 80)) << address;
  }
  for (const char* address : {"1.1.1.1", "172.32.0.1", "192.169.0.1", "8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8"}) {
    EXPECT_FALSE(is_private_address(ip::make_address(address))) << address;
    EXPECT_TRUE(ImageHosts::parse("images.example")->allows_address(ip::make_address(address), 80)) << address;
  }
  const auto hosts = ImageHosts::parse("images.example,10.0.0.5:8080");
  EXPECT_TRUE(hosts->allows_address(ip::make_address("10.0.0.5"), 8080));
  EXPECT_FALSE(hosts->allows_address(ip::make_address("10.0.0.5"), 80));
  EXPECT_FALSE(hosts->allows_address(ip::make_address("10.0.0.6"), 8080));
}

}  // namespace
}  // namespace glyph
