// JSON from a foreign file: bounded in size and depth, with errors that name the file.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "glyph/status.h"

namespace glyph {

// The object that `text` holds. kRefused: not JSON, nested deeper than 32, or not an object.
Result<boost::json::object> parse_json_object(std::string_view text, const std::string& where);

// The same of a file of at most `max_bytes`.
Result<boost::json::object> read_json_object(const std::filesystem::path& path, size_t max_bytes);

}  // namespace glyph
