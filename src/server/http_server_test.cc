#include "server/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "support/http_client.h"

namespace glyph {
namespace {

using ::testing::HasSubstr;

TEST(HttpServer, OneConnectionTooManyIsToldSo) {
  HttpServerOptions options;
  options.port = 0;
  options.max_connections = 2;
  auto server = HttpServer::bind(options, [](const HttpRequest&) {
    HttpResponse response;
    response.body = "here";
    return response;
  });
  ASSERT_TRUE(server.ok()) << server.status().message();
  std::thread serving([&] { (*server)->run(); });
  const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  {
    HttpClient first((*server)->port()), second((*server)->port());
    for (HttpClient* client : {&first, &second}) {
      EXPECT_TRUE(client->send(request));
      EXPECT_TRUE(client->read_until("here"));
    }
    for (int i = 0; i < 3; ++i) {
      const ClientResponse refused = HttpClient((*server)->port()).request("GET", "/");
      EXPECT_EQ(refused.status, 429);
      EXPECT_THAT(refused.head, HasSubstr("Retry-After: "));
      EXPECT_THAT(refused.body, HasSubstr("too many connections"));
    }
    EXPECT_TRUE(first.send(request));
    EXPECT_TRUE(first.read_until("here"));
  }
  int status = 0;
  for (int i = 0; i < 200 && status != 200; ++i) {  // until the server has seen the two go
    status = HttpClient((*server)->port()).request("GET", "/").status;
    if (status != 200) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(status, 200);
  (*server)->stop();
  serving.join();
}

}  // namespace
}  // namespace glyph
