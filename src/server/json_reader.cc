#include "server/json_reader.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/parse_options.hpp>
#include <cmath>

#include "base/utf8.h"

namespace glyph {
namespace json = boost::json;

std::variant<json::object, ApiError> parse_json_object(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  boost::system::error_code error;
  json::value value;
  try {
    value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  } catch (const std::exception&) {  // a string longer than the library takes
    return ApiError{400, "the request body is too large a JSON value", {}, "invalid_json"};
  }
  if (error == json::error::too_deep) {
    return ApiError{400, fmt::format("the request body nests deeper than {} levels", kMaxJsonDepth), {}, "invalid_json"};
  }
  if (error) return ApiError{400, fmt::format("the request body is not valid JSON: {}", error.message()), {}, "invalid_json"};
  if (!value.is_object()) return ApiError{400, "the request body is not a JSON object", {}, "invalid_json"};
  return std::move(value.get_object());
}

const json::value* JsonReader::find(std::string_view key) const {
  const json::value* value = object_.if_contains(json::string_view(key.data(), key.size()));
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string JsonReader::name(std::string_view key) const { return prefix_ + std::string(key); }

void JsonReader::fail(std::string_view key, const std::string& what) {
  if (!error_) error_ = ApiError{400, fmt::format("{} {}", name(key), what), name(key), "invalid_value"};
}

std::optional<int64_t> JsonReader::integer(std::string_view key, int64_t low, int64_t high) {
  const json::value* value = find(key);
  if (value == nullptr || error_) return std::nullopt;
  std::optional<int64_t> number;
  if (value->is_int64()) number = value->get_int64();
  if (number && *number >= low && *number <= high) return number;
  fail(key, fmt::format("must be a whole number from {} to {}", low, high));
  return std::nullopt;
}

std::optional<double> JsonReader::number(std::string_view key, double low, double high) {
  const json::value* value = find(key);
  if (value == nullptr || error_) return std::nullopt;
  if (value->is_number()) {
    const double number = value->to_number<double>();
    if (std::isfinite(number) && number >= low && number <= high) return number;
  }
  fail(key, fmt::format("must be a number from {:g} to {:g}", low, high));
  return std::nullopt;
}

std::optional<bool> JsonReader::boolean(std::string_view key) {
  const json::value* value = find(key);
  if (value == nullptr || error_) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  fail(key, "must be true or false");
  return std::nullopt;
}

std::optional<std::string> JsonReader::text(std::string_view key, size_t max_bytes) {
  const json::value* value = find(key);
  if (value == nullptr || error_) return std::nullopt;
  if (!value->is_string()) {
    fail(key, "must be a text");
    return std::nullopt;
  }
  const json::string& found = value->get_string();
  if (found.size() > max_bytes) {
    fail(key, fmt::format("is {} bytes long, at most {} are accepted", found.size(), max_bytes));
    return std::nullopt;
  }
  return std::string(found.data(), found.size());
}

std::vector<std::string> JsonReader::texts(std::string_view key, size_t max_count, size_t max_bytes, bool or_single) {
  const json::value* value = find(key);
  if (value == nullptr || error_) return {};
  if (or_single && value->is_string()) {
    if (auto single = text(key, max_bytes)) return {*std::move(single)};
    return {};
  }
  std::vector<std::string> texts;
  const json::array* items = array(key, max_count);
  if (items == nullptr) return {};
  for (const json::value& item : *items) {
    if (!item.is_string() || item.get_string().size() > max_bytes) {
      fail(key, fmt::format("must hold texts of at most {} bytes", max_bytes));
      return {};
    }
    texts.emplace_back(item.get_string().data(), item.get_string().size());
  }
  return texts;
}

std::vector<int64_t> JsonReader::integers(std::string_view key, size_t max_count, int64_t low, int64_t high) {
  std::vector<int64_t> numbers;
  const json::array* items = array(key, max_count);
  if (items == nullptr) return {};
  for (const json::value& item : *items) {
    if (!item.is_int64() || item.get_int64() < low || item.get_int64() > high) {
      fail(key, fmt::format("must hold whole numbers from {} to {}", low, high));
      return {};
    }
    numbers.push_back(item.get_int64());
  }
  return numbers;
}

const json::object* JsonReader::object(std::string_view key) {
  const json::value* value = find(key);
  if (value == nullptr || error_) return nullptr;
  if (value->is_object()) return &value->get_object();
  fail(key, "must be an object");
  return nullptr;
}

const json::array* JsonReader::array(std::string_view key, size_t max_count) {
  const json::value* value = find(key);
  if (value == nullptr || error_) return nullptr;
  if (!value->is_array()) {
    fail(key, "must be a list");
    return nullptr;
  }
  if (value->get_array().size() > max_count) {
    fail(key, fmt::format("holds {} items, at most {} are accepted", value->get_array().size(), max_count));
    return nullptr;
  }
  return &value->get_array();
}

}  // namespace glyph
