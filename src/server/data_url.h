// data: URLs and base64, as they come in requests.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace glyph {

// RFC 4648 with or without padding; nothing for any other character (line ends included).
std::optional<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

struct DataUrl {
  std::string media_type;  // "image/png", "" when the URL names none
  std::string bytes;
};
// "data:[type];base64,...". Nothing for anything else.
std::optional<DataUrl> parse_data_url(std::string_view url);

}  // namespace glyph
