// Typed fields of a JSON object, each with its limits; the first thing wrong is remembered and named.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "server/api_error.h"

namespace glyph {

constexpr size_t kMaxJsonDepth = 32;

// The object in `text`, or what is wrong with it. Duplicate keys: the last one counts. Ill-formed UTF-8 is refused.
std::variant<boost::json::object, ApiError> parse_json_object(std::string_view text);

// Reads fields; absent and null are "not given". After the first error every call gives nothing.
class JsonReader {
 public:
  explicit JsonReader(const boost::json::object& object, std::string prefix = {}) : object_(object), prefix_(std::move(prefix)) {}

  std::optional<int64_t> integer(std::string_view key, int64_t low, int64_t high);
  std::optional<double> number(std::string_view key, double low, double high);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::string> text(std::string_view key, size_t max_bytes);
  // A list of texts, or one text where `or_single`.
  std::vector<std::string> texts(std::string_view key, size_t max_count, size_t max_bytes, bool or_single = false);
  std::vector<int64_t> integers(std::string_view key, size_t max_count, int64_t low, int64_t high);
  const boost::json::object* object(std::string_view key);
  const boost::json::array* array(std::string_view key, size_t max_count);
  bool has(std::string_view key) const { return find(key) != nullptr; }

  void fail(std::string_view key, const std::string& what);
  const std::optional<ApiError>& error() const { return error_; }

 private:
  const boost::json::value* find(std::string_view key) const;
  std::string name(std::string_view key) const;

  const boost::json::object& object_;
  const std::string prefix_;  // "messages[2]."
  std::optional<ApiError> error_;
};

}  // namespace glyph
