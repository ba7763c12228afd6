#include "weights/config_reader.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <cmath>
#include <limits>

namespace glyph {
namespace {

constexpr size_t kMaxTokenIds = 256;

// A value as it stands in the file, short enough for a message.
std::string quoted(const boost::json::value& value) {
  std::string text = boost::json::serialize(value);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

}  // namespace

void ConfigReader::fail(std::string_view key, const std::string& problem) {
  if (status_.ok()) status_ = refused(fmt::format("{}: \"{}\" {}", where_, key, problem));
}

const boost::json::value* ConfigReader::find(std::string_view key) const {
  const boost::json::value* value = object_.if_contains({key.data(), key.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

bool ConfigReader::to_integer(std::string_view key, const boost::json::value& value, int64_t min, int64_t max,
                              int64_t* out) {
  double as_double = 0.0;
  if (value.is_int64()) {
    as_double = static_cast<double>(value.get_int64());
    *out = value.get_int64();
  } else if (value.is_uint64()) {
    as_double = static_cast<double>(value.get_uint64());
    *out = std::numeric_limits<int64_t>::max();
  } else if (value.is_double() && std::floor(value.get_double()) == value.get_double() &&
             std::fabs(value.get_double()) < 1e15) {
    as_double = value.get_double();
    *out = static_cast<int64_t>(as_double);
  } else {
    fail(key, fmt::format("is {}, not a whole number", quoted(value)));
    return false;
  }
  if (*out >= min && *out <= max && !value.is_uint64()) return true;
  fail(key, fmt::format("is {}, outside {} to {}", quoted(value), min, max));
  return false;
}

bool ConfigReader::to_number(std::string_view key, const boost::json::value& value, double min, double max,
                             double* out) {
  if (!value.is_number()) {
    fail(key, fmt::format("is {}, not a number", quoted(value)));
    return false;
  }
  *out = value.is_double()  ? value.get_double()
         : value.is_int64() ? static_cast<double>(value.get_int64())
                            : static_cast<double>(value.get_uint64());
  if (std::isfinite(*out) && *out >= min && *out <= max) return true;
  fail(key, fmt::format("is {}, outside {} to {}", quoted(value), min, max));
  return false;
}

int64_t ConfigReader::integer(std::string_view key, int64_t fallback, int64_t min, int64_t max) {
  const boost::json::value* value = find(key);
  int64_t out = fallback;
  return value != nullptr && to_integer(key, *value, min, max, &out) ? out : fallback;
}

double ConfigReader::number(std::string_view key, double fallback, double min, double max) {
  const boost::json::value* value = find(key);
  double out = fallback;
  return value != nullptr && to_number(key, *value, min, max, &out) ? out : fallback;
}

bool ConfigReader::boolean(std::string_view key, bool fallback) {
  const boost::json::value* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is_bool()) return value->get_bool();
  fail(key, fmt::format("is {}, not true or false", quoted(*value)));
  return fallback;
}

std::string ConfigReader::string(std::string_view key, std::string_view fallback) {
  const boost::json::value* value = find(key);
  if (value == nullptr) return std::string(fallback);
  if (value->is_string()) return {value->get_string().data(), value->get_string().size()};
  fail(key, fmt::format("is {}, not a string", quoted(*value)));
  return std::string(fallback);
}

std::vector<int32_t> ConfigReader::token_ids(std::string_view key) {
  const boost::json::value* value = find(key);
  if (value == nullptr) return {};
  const boost::json::array one{*value};
  const boost::json::array& values = value->is_array() ? value->get_array() : one;
  if (values.size() > kMaxTokenIds)
    fail(key, fmt::format("lists {} ids, the limit is {}", values.size(), kMaxTokenIds));
  std::vector<int32_t> ids;
  for (const boost::json::value& entry : values) {
    int64_t id = 0;
    if (!status_.ok() || !to_integer(key, entry, 0, std::numeric_limits<int32_t>::max(), &id)) return {};
    ids.push_back(static_cast<int32_t>(id));
  }
  return ids;
}

const boost::json::array* ConfigReader::list(std::string_view key, size_t size) {
  const boost::json::value* value = find(key);
  if (value == nullptr) return nullptr;
  if (value->is_array() && value->get_array().size() == size) return &value->get_array();
  fail(key, fmt::format("is {}, not a list of {} numbers", quoted(*value), size));
  return nullptr;
}

void ConfigReader::integers(std::string_view key, std::span<int64_t> out, int64_t min, int64_t max) {
  const boost::json::array* values = list(key, out.size());
  for (size_t i = 0; values != nullptr && i < out.size(); ++i) {
    if (!to_integer(key, (*values)[i], min, max, &out[i])) return;
  }
}

void ConfigReader::numbers(std::string_view key, std::span<double> out, double min, double max) {
  const boost::json::array* values = list(key, out.size());
  for (size_t i = 0; values != nullptr && i < out.size(); ++i) {
    if (!to_number(key, (*values)[i], min, max, &out[i])) return;
  }
}

std::vector<std::string> ConfigReader::strings(std::string_view key, size_t max_count, size_t max_length) {
  const boost::json::value* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_array() || value->get_array().size() > max_count) {
    fail(key, fmt::format("is {}, not a list of at most {} strings", quoted(*value), max_count));
    return {};
  }
  std::vector<std::string> out;
  for (const boost::json::value& entry : value->get_array()) {
    if (!entry.is_string() || entry.get_string().empty() || entry.get_string().size() > max_length) {
      fail(key, fmt::format("holds {}, not a string of 1 to {} bytes", quoted(entry), max_length));
      return {};
    }
    out.emplace_back(entry.get_string().data(), entry.get_string().size());
  }
  return out;
}

void ConfigReader::require_text(std::string_view key, std::string_view supported, std::string_view fallback) {
  const std::string value = string(key, fallback);
  if (value != supported) fail(key, fmt::format("is \"{:.60}\"; only \"{}\" is supported", value, supported));
}

void ConfigReader::require_flag(std::string_view key, bool supported, bool fallback) {
  const bool value = boolean(key, fallback);
  if (value != supported) fail(key, fmt::format("is {}; only {} is supported", value, supported));
}

const boost::json::object* ConfigReader::child(std::string_view key) {
  const boost::json::value* value = find(key);
  if (value == nullptr) return nullptr;
  if (value->is_object()) return &value->get_object();
  fail(key, fmt::format("is {}, not an object", quoted(*value)));
  return nullptr;
}

}  // namespace glyph
