#include "server/multipart.h"

#include <gtest/gtest.h>

namespace glyph {
namespace {

TEST(Multipart, GivesThePartsAsTheyWereSent) {
  const std::string body =
      "--B\r\nContent-Disposition: form-data; name=\"style\"\r\n\r\n{}\r\n--B\r\ncontent-disposition: form-data; filename=\"a \\\"b\\\".txt\"; "
      "name=file\r\nContent-Type: text/plain\r\n\r\nline\r\n--not the boundary\r\n\r\n--B--\r\n";
  const auto parts = parse_multipart(body, "B");
  ASSERT_TRUE(parts.ok()) << parts.status().message();
  ASSERT_EQ(parts->size(), 2u);
  EXPECT_EQ((*parts)[0].name, "style");
  EXPECT_EQ((*parts)[0].bytes, "{}");
  EXPECT_EQ((*parts)[1].name, "file");
  EXPECT_EQ((*parts)[1].file_name, "a \"b\".txt");
  EXPECT_EQ((*parts)[1].bytes, "line\r\n--not the boundary\r\n");
}

TEST(Multipart, EveryCutIsNoticed) {
  const std::string body = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\ncontent\r\n--B--";
  ASSERT_TRUE(parse_multipart(body, "B").ok());
  for (size_t length = 0; length < body.size(); ++length) EXPECT_FALSE(parse_multipart(body.substr(0, length), "B").ok()) << length;
}

TEST(Multipart, Boundary) {
  EXPECT_EQ(*multipart_boundary("Multipart/Form-Data; boundary=abc"), "abc");
  EXPECT_EQ(*multipart_boundary("multipart/form-data; charset=utf-8; boundary=\"a b\""), "a b");
  EXPECT_FALSE(multipart_boundary("application/json").ok());
  EXPECT_FALSE(multipart_boundary("multipart/form-data").ok());
  EXPECT_FALSE(multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'x')).ok());
}

TEST(Multipart, ManyPartsAreRefused) {
  std::string body;
  for (int i = 0; i < 100'000; ++i) body += "--B\r\nContent-Disposition: form-data; name=x\r\n\r\n\r\n";
  EXPECT_FALSE(parse_multipart(body + "--B--", "B").ok());
}

}  // namespace
}  // namespace glyph
