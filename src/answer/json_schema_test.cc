#include "answer/json_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace glyph {
namespace {

using testing::HasSubstr;

TEST(JsonSchema, ReadsTheSubset) {
  const auto schema = compile_json_schema(R"({"$schema":"x","title":"Person","type":"object","properties":{
    "name":{"type":"string","description":"in full"},"age":{"type":["integer","null"]},"kind":{"enum":["a",{"b":[1,2.5,true]}]},
    "tags":{"type":"array","items":{"const":"x"}},"any":true},"required":["name","kind"],"additionalProperties":false})");
  ASSERT_TRUE(schema.ok()) << schema.status().message();
  const JsonSchema::Node& root = schema->nodes[schema->root];
  EXPECT_EQ(root.types, JsonSchema::kObject);
  ASSERT_EQ(root.properties.size(), 5u);
  EXPECT_EQ(root.properties[0].key, "\"name\"");
  EXPECT_TRUE(root.properties[0].required && root.properties[2].required);
  EXPECT_FALSE(root.properties[1].required);
  EXPECT_EQ(schema->nodes[root.properties[1].node].types, JsonSchema::kInteger | JsonSchema::kNull);
  EXPECT_THAT(schema->nodes[root.properties[2].node].literals, testing::ElementsAre("\"a\"", R"({"b":[1,2.5,true]})"));
  EXPECT_EQ(root.properties[4].node, JsonSchema::kAny);
}

class RefusedSchema : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(RefusedSchema, IsNamed) {
  const auto schema = compile_json_schema(GetParam().first);
  ASSERT_FALSE(schema.ok());
  EXPECT_EQ(schema.status().code(), StatusCode::kUsage);
  EXPECT_THAT(schema.status().message(), HasSubstr(GetParam().second));
}

INSTANTIATE_TEST_SUITE_P(
    Keywords, RefusedSchema,
    testing::Values(std::pair{"", "not valid JSON"}, std::pair{"7", "no schema"}, std::pair{"false", "no schema"},
                    std::pair{R"({"minLength":1})", "keyword minLength of"}, std::pair{R"({"$ref":"#"})", "keyword $ref of"},
                    std::pair{R"({"properties":{"age":{"type":"integer","minimum":0}}})", "keyword properties.age.minimum of"},
                    std::pair{R"({"items":{"anyOf":[{}]}})", "keyword items.anyOf of"}, std::pair{R"({"type":"text"})", "type must be"},
                    std::pair{R"({"type":[]})", "names no type"}, std::pair{R"({"type":7})", "type must be"},
                    std::pair{R"({"enum":[]})", "enum must be"}, std::pair{R"({"type":"string","enum":[1]})", "no value of its type"},
                    std::pair{R"({"enum":[1],"const":2})", "const is not among"}, std::pair{R"({"const":1,"items":{}})", "items is not supported beside"},
                    std::pair{R"({"items":[{}]})", "items. is no schema"}, std::pair{R"({"additionalProperties":{}})", "additionalProperties is supported as"},
                    std::pair{R"({"required":"a"})", "required must be"}, std::pair{R"({"required":[1]})", "required must be"},
                    std::pair{R"({"properties":[]})", "properties must be"},
                    std::pair{R"({"properties":{"a":{}},"required":["b"],"additionalProperties":false})", "required names \"b\""}));

TEST(JsonSchema, HoldsItsLimits) {
  std::string deep, wide = R"({"properties":{)", many = R"({"enum":[)";
  for (int i = 0; i < 17; ++i) deep += R"({"items":)";
  for (int i = 0; i < 257; ++i) wide += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":true";
  for (int i = 0; i < 1025; ++i) many += (i == 0 ? "" : ",") + std::to_string(i);
  EXPECT_THAT(compile_json_schema(deep + "true" + std::string(17, '}')).status().message(), HasSubstr("deeper than 16"));
  EXPECT_THAT(compile_json_schema(wide + "}}").status().message(), HasSubstr("more than 256"));
  EXPECT_THAT(compile_json_schema(many + "]}").status().message(), HasSubstr("has 1025 values"));
  EXPECT_THAT(compile_json_schema("{\"const\":\"" + std::string(5000, 'x') + "\"}").status().message(), HasSubstr("5002 bytes"));
  EXPECT_THAT(compile_json_schema(std::string(300'000, ' ')).status().message(), HasSubstr("300000 bytes"));
  EXPECT_THAT(compile_json_schema(std::string(100'000, '[')).status().message(), HasSubstr("not valid JSON"));
}

}  // namespace
}  // namespace glyph
