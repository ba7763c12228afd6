#include "answer/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <optional>
#include <utility>

namespace glyph {
namespace json = boost::json;
namespace {

constexpr std::array<std::string_view, 10> kIgnored{"title",   "description", "$schema",  "$id",       "$comment",
                                                    "examples", "default",    "deprecated", "readOnly", "writeOnly"};
constexpr std::array<std::pair<std::string_view, JsonSchema::Type>, 7> kTypes{{{"object", JsonSchema::kObject},
                                                                               {"array", JsonSchema::kArray},
                                                                               {"string", JsonSchema::kString},
                                                                               {"number", JsonSchema::kNumber},
                                                                               {"integer", JsonSchema::kInteger},
                                                                               {"boolean", JsonSchema::kBoolean},
                                                                               {"null", JsonSchema::kNull}}};

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }
std::string_view view(json::string_view text) { return {text.data(), text.size()}; }

// JSON without white space and with the shortest numbers, as models write it.
bool write_literal(const json::value& value, std::string& out) {
  if (value.is_double()) {
    if (!std::isfinite(value.get_double())) return false;
    out += fmt::format("{}", value.get_double());
  } else if (const json::array* items = value.if_array()) {
    out += '[';
    for (const json::value& item : *items) {
      if (&item != items->data()) out += ',';
      if (!write_literal(item, out)) return false;
    }
    out += ']';
  } else if (const json::object* fields = value.if_object()) {
    out += '{';
    for (const auto& [key, field] : *fields) {
      if (out.back() != '{') out += ',';
      out += json::serialize(key) + ':';
      if (!write_literal(field, out)) return false;
    }
    out += '}';
  } else {
    out += json::serialize(value);
  }
  return true;
}

uint8_t type_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::object: return JsonSchema::kObject;
    case json::kind::array: return JsonSchema::kArray;
    case json::kind::string: return JsonSchema::kString;
    case json::kind::bool_: return JsonSchema::kBoolean;
    case json::kind::null: return JsonSchema::kNull;
    case json::kind::double_: return JsonSchema::kNumber;
    case json::kind::int64:
    case json::kind::uint64: break;
  }
  return JsonSchema::kNumber | JsonSchema::kInteger;
}

class Compiler {
 public:
  explicit Compiler(const JsonSchemaLimits& limits) : limits_(limits) {}

  Result<JsonSchema> compile(const json::value& value) {
    GLYPH_ASSIGN_OR_RETURN(schema_.root, node(value, "", 1));
    return std::move(schema_);
  }

 private:
  using Node = JsonSchema::Node;

  Result<uint16_t> node(const json::value& value, const std::string& where, size_t depth) {
    if (depth > limits_.depth) return usage_error(fmt::format("schemas stand inside each other deeper than {} levels", limits_.depth));
    if (value.is_bool() && value.get_bool()) return JsonSchema::kAny;
    const json::object* fields = value.if_object();
    if (fields == nullptr) return usage_error(fmt::format("{} is no schema: it must be an object or true", where.empty() ? "the schema" : where));
    if (schema_.nodes.size() >= limits_.nodes) return usage_error(fmt::format("more than {} schemas stand in it", limits_.nodes));
    const auto index = static_cast<uint16_t>(schema_.nodes.size());
    schema_.nodes.emplace_back();
    Node found;
    GLYPH_RETURN_IF_ERROR(check_keywords(*fields, where));
    GLYPH_RETURN_IF_ERROR(read_types(*fields, where, found));
    GLYPH_RETURN_IF_ERROR(read_literals(*fields, where, found));
    GLYPH_RETURN_IF_ERROR(read_properties(*fields, where, depth, found));
    if (const json::value* items = fields->if_contains("items")) {
      GLYPH_ASSIGN_OR_RETURN(found.items, node(*items, where + "items.", depth + 1));
    }
    schema_.nodes[index] = std::move(found);
    return index;
  }

  static Status check_keywords(const json::object& fields, const std::string& where) {
    const bool literal = fields.contains("enum") || fields.contains("const");
    for (const auto& field : fields) {
      const std::string_view keyword = view(field.key());
      if (std::find(kIgnored.begin(), kIgnored.end(), keyword) != kIgnored.end() || keyword == "type") continue;
      const bool choice = keyword == "enum" || keyword == "const";
      const bool shape = keyword == "properties" || keyword == "required" || keyword == "additionalProperties" || keyword == "items";
      if (!choice && !shape) return usage_error(fmt::format("the keyword {}{} of JSON Schema is not supported", where, keyword));
      if (shape && literal) return usage_error(fmt::format("the keyword {}{} is not supported beside enum or const", where, keyword));
    }
    return {};
  }

  static Status read_types(const json::object& fields, const std::string& where, Node& found) {
    const json::value* type = fields.if_contains("type");
    if (type == nullptr) return {};
    const json::array one{*type};
    const json::array& names = type->is_array() ? type->get_array() : one;
    found.types = 0;
    for (const json::value& name : names) {
      const auto known = std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& entry) {
        return name.is_string() && view(name.get_string()) == entry.first;
      });
      if (known == kTypes.end()) return usage_error(fmt::format("{}type must be object, array, string, number, integer, boolean or null", where));
      found.types |= known->second;
    }
    if (found.types == 0) return usage_error(fmt::format("{}type names no type", where));
    return {};
  }

  Status read_literals(const json::object& fields, const std::string& where, Node& found) const {
    json::array values;
    if (const json::value* list = fields.if_contains("enum")) {
      if (!list->is_array() || list->get_array().empty()) return usage_error(fmt::format("{}enum must be a list with at least one value", where));
      values = list->get_array();
    }
    if (const json::value* only = fields.if_contains("const")) {
      if (!values.empty() && std::find(values.begin(), values.end(), *only) == values.end()) {
        return usage_error(fmt::format("{}const is not among the values of enum", where));
      }
      values = {*only};
    }
    if (values.size() > limits_.literals) return usage_error(fmt::format("{}enum has {} values, at most {} are accepted", where, values.size(), limits_.literals));
    for (const json::value& value : values) {
      if ((type_of(value) & found.types) == 0) continue;  // can never be
      std::string text;
      if (!write_literal(value, text)) return usage_error(fmt::format("{}enum holds a number that is not finite", where));
      if (text.size() > limits_.literal_bytes) {
        return usage_error(fmt::format("{}enum holds a value of {} bytes, at most {} are accepted", where, text.size(), limits_.literal_bytes));
      }
      found.literals.push_back(std::move(text));
    }
    std::sort(found.literals.begin(), found.literals.end());
    found.literals.erase(std::unique(found.literals.begin(), found.literals.end()), found.literals.end());
    if (!values.empty() && found.literals.empty()) return usage_error(fmt::format("{}enum has no value of its type", where));
    return {};
  }

  Status read_properties(const json::object& fields, const std::string& where, size_t depth, Node& found) {
    if (const json::value* list = fields.if_contains("properties")) {
      if (!list->is_object()) return usage_error(fmt::format("{}properties must be an object", where));
      for (const auto& field : list->get_object()) {
        const std::string name(view(field.key()));
        GLYPH_ASSIGN_OR_RETURN(const uint16_t index, node(field.value(), fmt::format("{}properties.{}.", where, name), depth + 1));
        GLYPH_RETURN_IF_ERROR(add_property(json::serialize(field.key()), index, false, where, found));
      }
    }
    if (const json::value* other = fields.if_contains("additionalProperties")) {
      if (!other->is_bool()) return usage_error(fmt::format("the keyword {}additionalProperties is supported as true or false only", where));
      found.other_keys = other->get_bool();
    }
    const json::value* required = fields.if_contains("required");
    if (required == nullptr) return {};
    if (!required->is_array()) return usage_error(fmt::format("{}required must be a list of names", where));
    for (const json::value& name : required->get_array()) {
      if (!name.is_string()) return usage_error(fmt::format("{}required must be a list of names", where));
      GLYPH_RETURN_IF_ERROR(require(json::serialize(name), where, found));
    }
    return {};
  }

  Status require(const std::string& key, const std::string& where, Node& found) const {
    for (JsonSchema::Property& property : found.properties) {
      if (property.key != key) continue;
      property.required = true;
      return {};
    }
    if (!found.other_keys) return usage_error(fmt::format("{}required names {}, which properties does not have", where, key));
    return add_property(key, JsonSchema::kAny, true, where, found);
  }

  Status add_property(const std::string& key, uint16_t index, bool required, const std::string& where, Node& found) const {
    if (found.properties.size() >= limits_.properties) return usage_error(fmt::format("{}properties has more than {} entries", where, limits_.properties));
    if (key.size() > limits_.literal_bytes) {
      return usage_error(fmt::format("{}properties has a name of {} bytes, at most {} are accepted", where, key.size(), limits_.literal_bytes));
    }
    found.properties.push_back({key, index, required});
    return {};
  }

  const JsonSchemaLimits limits_;
  JsonSchema schema_;
};

}  // namespace

JsonSchema JsonSchema::any_object() {
  JsonSchema schema;
  schema.nodes.emplace_back();
  schema.nodes.back().types = kObject;
  schema.root = 1;
  return schema;
}

Result<JsonSchema> compile_json_schema(std::string_view text, const JsonSchemaLimits& limits) {
  if (text.size() > limits.text_bytes) {
    return usage_error(fmt::format("the schema is {} bytes long, at most {} are accepted", text.size(), limits.text_bytes));
  }
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return usage_error(fmt::format("the schema is not valid JSON: {}", error.message()));
  return Compiler(limits).compile(value);
}

}  // namespace glyph
