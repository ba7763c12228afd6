#include "json_text.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <limits>

namespace glyph {
namespace {

namespace json = boost::json;

TEST(JsonText, WritesPlainNumbers) {
  const json::value value{{"a", 72.5}, {"b", json::array{1, true, nullptr, 10.0}}, {"c", json::object{}}};
  EXPECT_EQ(json_text(value), R"({"a":72.5,"b":[1,true,null,10],"c":{}})");
}

TEST(JsonText, EscapesStringsAndKeys) {
  const json::value value{{"k\"", "line\nbreak \x01"}};
  EXPECT_EQ(json_text(value), "{\"k\\\"\":\"line\\nbreak \\u0001\"}");
  EXPECT_EQ(json::parse(json_text(value)), value);
}

TEST(JsonText, WhatJsonCannotSayIsNull) { EXPECT_EQ(json_text(std::numeric_limits<double>::quiet_NaN()), "null"); }

TEST(JsonText, NestedObjectAfterObject) {
  const json::value value{{"a", json::object{{"b", 1}}}, {"c", 2}};
  EXPECT_EQ(json_text(value), R"({"a":{"b":1},"c":2})");
}

}  // namespace
}  // namespace glyph
