// JsonSchema: what a JSON answer must look like. Compiled from a subset of JSON Schema (draft 2020-12); text in, tables out.
//
// Taken: type (a name or a list of names: object, array, string, number, integer, boolean, null), properties, required,
// additionalProperties (true or false), items (one schema), enum, const, and schemas that are `true` or {}. Ignored, because they
// check nothing: title, description, $schema, $id, $comment, examples, default, deprecated, readOnly, writeOnly. Everything else is
// refused by name. An object with `properties` holds no others and holds them in the order of the schema.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"

namespace glyph {

struct JsonSchemaLimits {
  size_t text_bytes = size_t{256} << 10;
  size_t nodes = 4096;           // schemas inside the schema
  size_t depth = 16;             // of schemas inside each other
  size_t properties = 256;       // of one object
  size_t literals = 1024;        // values of one enum
  size_t literal_bytes = 4096;   // of one such value or key, as JSON
};

struct JsonSchema {
  enum Type : uint8_t { kObject = 1, kArray = 2, kString = 4, kNumber = 8, kInteger = 16, kBoolean = 32, kNull = 64, kAnyType = 127 };
  static constexpr uint16_t kAny = 0;  // nodes[0] takes every value

  struct Property {
    std::string key;  // as it is written, with its quotes
    uint16_t node = kAny;
    bool required = false;
  };
  struct Node {
    uint8_t types = kAnyType;
    std::vector<std::string> literals;  // of enum and const, as they are written, sorted, each once; when there are some, `types` does
                                        // not count
    std::vector<Property> properties;   // of an object, in the order in which they are written
    bool other_keys = true;             // an object without `properties` may have any
    uint16_t items = kAny;              // of an array
  };

  std::vector<Node> nodes{Node{}};
  uint16_t root = kAny;

  // An object with whatever in it.
  static JsonSchema any_object();
};

// kUsage naming the keyword and where it stands ("properties.age.minimum"), or the limit that is passed.
Result<JsonSchema> compile_json_schema(std::string_view text, const JsonSchemaLimits& limits = {});

}  // namespace glyph
