#include "server/content_type.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glyph {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

// "" when it is accepted.
std::string refusal(BodyKind kind, Headers headers) {
  HttpRequest request;
  request.headers = std::move(headers);
  request.headers.emplace_back("content-length", "10");
  const auto error = check_content_type(request, kind);
  if (!error) return "";
  EXPECT_EQ(error->status, 415);
  return error->message;
}
std::string json_refusal(const std::string& type) { return refusal(BodyKind::kJson, {{"content-type", type}}); }

TEST(ContentType, JsonMayBeSentAsClientsSendIt) {
  EXPECT_EQ(refusal(BodyKind::kJson, {}), "");
  for (const char* type : {"application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\"", "application/problem+json",
                           "text/plain;charset=us-ascii", "application/x-www-form-urlencoded", "application/json; v=1; charset=utf8", "", " "}) {
    EXPECT_EQ(json_refusal(type), "") << type;
  }
}

TEST(ContentType, WhatIsNoJsonIsNamed) {
  EXPECT_EQ(json_refusal("application/xml"), "the body must be application/json, not application/xml");
  EXPECT_EQ(json_refusal("application/json; charset=utf-16"), "JSON must be in UTF-8, not in utf-16");
  for (const char* type : {"multipart/form-data; boundary=B", "image/png", "json", "application/jsonx", "text/html", "application/json; charset=latin1"}) {
    EXPECT_NE(json_refusal(type), "") << type;
  }
  for (const char byte : {'x', '\x80', '\xE4'}) EXPECT_LT(json_refusal(std::string(10'000, byte)).size(), 300u);
}

TEST(ContentType, AFormSaysThatItIsOne) {
  EXPECT_EQ(refusal(BodyKind::kForm, {{"content-type", "Multipart/Form-Data; boundary=B"}}), "");
  EXPECT_EQ(refusal(BodyKind::kForm, {{"content-type", "multipart/form-data"}}), "") << "what else is missing is told by who reads it";
  EXPECT_THAT(refusal(BodyKind::kForm, {}), testing::HasSubstr("without a Content-Type"));
  EXPECT_THAT(refusal(BodyKind::kForm, {{"content-type", "application/pdf"}}), testing::HasSubstr("not application/pdf"));
}

TEST(ContentType, PackedBodiesAreNotUnpacked) {
  EXPECT_EQ(refusal(BodyKind::kJson, {{"content-encoding", "identity"}}), "");
  EXPECT_THAT(refusal(BodyKind::kJson, {{"content-encoding", "GZIP"}}), testing::HasSubstr("Content-Encoding gzip"));
  EXPECT_THAT(refusal(BodyKind::kForm, {{"content-type", "multipart/form-data; boundary=B"}, {"content-encoding", "br"}}), testing::HasSubstr("unpacked"));
}

TEST(ContentType, NoBodyIsOfNoType) {
  HttpRequest request;
  request.headers = {{"content-type", "image/png"}, {"content-length", "0"}};
  EXPECT_FALSE(check_content_type(request, BodyKind::kJson));
  request.headers = {{"content-type", "image/png"}, {"transfer-encoding", "chunked"}};
  EXPECT_TRUE(check_content_type(request, BodyKind::kJson));
}

}  // namespace
}  // namespace glyph
