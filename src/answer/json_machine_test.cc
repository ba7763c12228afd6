#include "answer/json_machine.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <random>
#include <string>
#include <vector>

namespace glyph {
namespace {

namespace json = boost::json;

enum class Outcome { kRefused, kOpen, kComplete, kClosed };

Outcome outcome(const JsonSchema& schema, const std::string& text) {
  JsonMachine machine(schema);
  for (const char byte : text) {
    if (!machine.push(static_cast<uint8_t>(byte))) return Outcome::kRefused;
  }
  return machine.closed() ? Outcome::kClosed : machine.complete() ? Outcome::kComplete : Outcome::kOpen;
}

JsonSchema schema_of(const std::string& text) {
  auto schema = compile_json_schema(text);
  EXPECT_TRUE(schema.ok()) << schema.status().message();
  return schema.ok() ? *std::move(schema) : JsonSchema();
}

void expect_all(const JsonSchema& schema, Outcome expected, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) EXPECT_EQ(outcome(schema, text), expected) << text;
}

TEST(JsonMachine, TakesAnyValue) {
  const JsonSchema any;
  expect_all(any, Outcome::kClosed, {"{}", "[]", "\"\"", "true", "null", R"({"a": [1, -0.5e+10, {"b":false}]})", "[ ]", "{\n  \"a\": \"b\"\n}",
                                     R"(["\u00e9\ud83d\ude00\n\"", "é😀"])"});
  expect_all(any, Outcome::kComplete, {"0", "-1", "12", "1.5", "1e5", "-1.25E-1"});
  expect_all(any, Outcome::kClosed, {"-1.25E-10"});
  expect_all(any, Outcome::kOpen, {"", "{", "[1", "[1,", "{\"a\"", "{\"a\":", "\"", "\"\\", "\"\\ud83d", "\"\xC3", "-", "1.", "1e", "tru"});
  expect_all(any, Outcome::kRefused, {" {}", "{} ", "{}}", "[1,]", "{,}", "{\"a\":1,}", "{\"a\" :1}", "01", "1.e", "+1", ".5", "--", "True", "nul ", "1 "});
}

TEST(JsonMachine, StringsAreWellFormed) {
  const JsonSchema any;
  expect_all(any, Outcome::kRefused, {"\"\n", "\"\xFF", "\"\xC0\x80", "\"\xED\xA0\x80", "\"\xF4\x90", "\"\xC3\"", "\"\\x", "\"\\u12g",
                                      R"("\udc00)", R"("\ud83dx)", R"("\ud83d\n)", R"("\ud83d\ue000)"});
}

TEST(JsonMachine, LiteralsMayBeginAlikeAndComeInAnyOrder) {
  const JsonSchema schema = schema_of(R"({"enum":[12,"ba",1,"b",7,1,"b","\u00ff"]})");
  expect_all(schema, Outcome::kClosed, {"12", "7", "\"b\"", "\"ba\"", "\"\xC3\xBF\""});
  expect_all(schema, Outcome::kComplete, {"1"});
  expect_all(schema, Outcome::kOpen, {"", "\"", "\"b"});
  expect_all(schema, Outcome::kRefused, {"2", "11", "122", "1 ", "\"a", "\"bb", "\"\xC3\xBE", "\"b\"x"});
}

// As many as there may be, which differ only where they end.
TEST(JsonMachine, ManyLongLiterals) {
  const std::string common(200, 'x');
  std::string text = R"({"enum":[)";
  for (int i = 0; i < 1024; ++i) text += (i == 0 ? "\"" : ",\"") + common + std::to_string(i * 7 % 1024) + "\"";
  const JsonSchema schema = schema_of(text + "]}");
  expect_all(schema, Outcome::kClosed, {"\"" + common + "0\"", "\"" + common + "1023\"", "\"" + common + "77\""});
  expect_all(schema, Outcome::kOpen, {"\"" + common, "\"" + common + "10"});
  expect_all(schema, Outcome::kRefused, {"\"" + common + "1024", "\"" + common + "01", "\"" + common + "\""});
}

TEST(JsonMachine, BoundsWhatCouldGoOnForEver) {
  const JsonSchema any;
  EXPECT_EQ(outcome(any, "[" + std::string(16, ' ')), Outcome::kOpen);
  EXPECT_EQ(outcome(any, "[" + std::string(17, ' ')), Outcome::kRefused);
  EXPECT_EQ(outcome(any, std::string(32, '[') + "1" + std::string(32, ']')), Outcome::kClosed);
  EXPECT_EQ(outcome(any, std::string(33, '[')), Outcome::kRefused);
  EXPECT_EQ(outcome(any, std::string(32, '[') + "{"), Outcome::kRefused);
  EXPECT_EQ(outcome(any, std::string(15, '1')), Outcome::kComplete);
  EXPECT_EQ(outcome(any, std::string(16, '1')), Outcome::kRefused);
  EXPECT_EQ(outcome(any, "0." + std::string(16, '1')), Outcome::kRefused);
  EXPECT_EQ(outcome(any, "1e100"), Outcome::kRefused);
}

TEST(JsonMachine, ObjectsKeepTheSchemasOrder) {
  const JsonSchema schema = schema_of(R"({"type":"object","properties":{"na":{"type":"string"},"name":{"type":"integer"},"x":{}},"required":["name"]})");
  expect_all(schema, Outcome::kClosed, {R"({"na":"a","name":1,"x":[{}]})", R"({"name":1})", R"({"name":-7,"x":null})", R"({ "name": 1 })"});
  expect_all(schema, Outcome::kRefused, {"{}", R"({"x")", R"({"na":"a"})", R"({"name":1,"na")", R"({"name":1.)", R"({"name":1,"name")", R"({"y)", "[",
                                         R"({"name":1,"x":1,)"});
}

TEST(JsonMachine, TypesAndChoices) {
  expect_all(schema_of(R"({"type":["integer","null"]})"), Outcome::kRefused, {"1.", "\"", "t", "{", "["});
  expect_all(schema_of(R"({"type":["integer","null"]})"), Outcome::kComplete, {"5", "-3"});
  const JsonSchema choice = schema_of(R"({"enum":["a","ab",1,12,true,{"k":[]}]})");
  expect_all(choice, Outcome::kClosed, {"\"a\"", "\"ab\"", "12", "true", R"({"k":[]})"});
  expect_all(choice, Outcome::kComplete, {"1"});
  expect_all(choice, Outcome::kRefused, {"\"b", "13", "123", "false", "{ "});
  const JsonSchema list = schema_of(R"({"type":"array","items":{"enum":[1,12]}})");
  expect_all(list, Outcome::kClosed, {"[]", "[1]", "[1,12, 1 ]"});
  expect_all(list, Outcome::kRefused, {"[2", "[123", "[1 2"});
  expect_all(schema_of(R"({"type":"object","additionalProperties":false})"), Outcome::kRefused, {"{\""});
  expect_all(schema_of(R"({"type":"object","required":["z"]})"), Outcome::kRefused, {"{}", "{\"a"});
  expect_all(JsonSchema::any_object(), Outcome::kRefused, {"[", "1", "\"", "n"});
}

// Whatever is chosen among what may come: there is always a next byte, and what is complete parses.
TEST(JsonMachine, RandomWalksEndInJson) {
  const JsonSchema schemas[] = {JsonSchema(), JsonSchema::any_object(),
                                schema_of(R"({"type":"array","items":{"type":"object","properties":{"a":{"type":"number"},"é\n":{"enum":["x",7,[1]]}},
                                              "required":["é\n"]}})")};
  std::mt19937 random(7);
  int num_closed = 0;
  for (int round = 0; round < 600; ++round) {
    JsonMachine machine(schemas[round % 3]);
    std::string text;
    for (int i = 0; i < 300 && !machine.closed(); ++i) {
      std::vector<uint8_t> choices;
      for (int byte = 0; byte < 256; ++byte) {
        JsonMachine next = machine;
        if (next.push(static_cast<uint8_t>(byte))) choices.push_back(static_cast<uint8_t>(byte));
      }
      ASSERT_FALSE(choices.empty()) << text;
      // Mostly what closes something, else strings never end.
      uint8_t chosen = choices[random() % choices.size()];
      for (const uint8_t byte : choices) {
        if ((byte == '"' || byte == '}' || byte == ']') && random() % 3 == 0) chosen = byte;
      }
      text += static_cast<char>(chosen);
      ASSERT_TRUE(machine.push(chosen));
      boost::system::error_code error;
      if (!machine.complete()) continue;
      json::parse(text, error);
      ASSERT_FALSE(error) << text;
    }
    num_closed += machine.closed();
  }
  EXPECT_GT(num_closed, 300);
}

}  // namespace
}  // namespace glyph
