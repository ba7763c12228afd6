#include "json_text.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cmath>

namespace glyph {
namespace {

namespace json = boost::json;

void write(const json::value& value, std::string& out);

void write_object(const json::object& object, std::string& out) {
  out += '{';
  for (const auto& member : object) {
    if (out.back() != '{') out += ',';
    out += json::serialize(json::string(member.key()));
    out += ':';
    write(member.value(), out);
  }
  out += '}';
}

void write_array(const json::array& array, std::string& out) {
  out += '[';
  for (size_t i = 0; i < array.size(); ++i) {
    if (i > 0) out += ',';
    write(array[i], out);
  }
  out += ']';
}

void write_double(double number, std::string& out) { out += std::isfinite(number) ? fmt::format("{}", number) : "null"; }

void write(const json::value& value, std::string& out) {
  if (value.is_object()) write_object(value.get_object(), out);
  else if (value.is_array()) write_array(value.get_array(), out);
  else if (value.is_double()) write_double(value.get_double(), out);
  else out += json::serialize(value);
}

}  // namespace

std::string json_text(const json::value& value) {
  std::string out;
  write(value, out);
  return out;
}

double rounded(double value, int digits) {
  const double scale = std::pow(10.0, digits);
  return std::round(value * scale) / scale;
}

}  // namespace glyph
