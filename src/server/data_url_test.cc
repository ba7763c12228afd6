#include "server/data_url.h"

#include <gtest/gtest.h>

namespace glyph {
namespace {

TEST(Base64, GoesThereAndBack) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
    bytes += static_cast<char>(i * 37);
  }
  EXPECT_EQ(encode_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encode_base64("foob"), "Zm9vYg==");
  EXPECT_EQ(decode_base64("Zm9vYg"), "foob");
}

TEST(Base64, RefusesAnythingElse) {
  for (const char* text : {"Z", "Zm9v\nYmFy", "Zm9*", "====", "Zm9=vYmF", "Zm9vY==="}) EXPECT_FALSE(decode_base64(text)) << text;
}

TEST(DataUrl, TypeAndBytes) {
  const auto url = parse_data_url("data:image/png;charset=x;base64,Zm9v");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->media_type, "image/png");
  EXPECT_EQ(url->bytes, "foo");
  for (const char* text : {"http://a/b", "data:image/png,foo", "data:;base64", "data:image/png;base64,*"}) EXPECT_FALSE(parse_data_url(text)) << text;
}

}  // namespace
}  // namespace glyph
