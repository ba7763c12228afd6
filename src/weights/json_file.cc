#include "weights/json_file.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>

#include "base/text_file.h"

namespace glyph {

Result<boost::json::object> parse_json_object(std::string_view text, const std::string& where) {
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 32;
  boost::json::value value = boost::json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return refused(fmt::format("{}: is not valid JSON: {}", where, error.message()));
  if (!value.is_object()) return refused(fmt::format("{}: the top level is not a JSON object", where));
  return std::move(value.get_object());
}

Result<boost::json::object> read_json_object(const std::filesystem::path& path, size_t max_bytes) {
  GLYPH_ASSIGN_OR_RETURN(const std::string text, read_file(path, max_bytes));
  return parse_json_object(text, path.string());
}

}  // namespace glyph
