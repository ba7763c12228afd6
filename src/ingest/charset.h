// Bytes of an unknown charset -> UTF-8.
#pragma once

#include <string>
#include <string_view>

#include "glyph/status.h"

namespace glyph {

struct DecodedText {
  std::string text;      // valid UTF-8, without a byte order mark; not yet cleaned
  std::string encoding;  // "UTF-8", "UTF-16LE", "UTF-32BE", "GB18030", "windows-1252", ...
  std::string warning;   // one sentence without the file's name; "" when the charset is certain and every byte was valid
};

// In this order: a byte order mark; strict UTF-8; `declared` (the charset an HTML file names; "" for none); UTF-16 and UTF-32
// by their NUL bytes; UTF-8 with a few broken bytes; GB18030 when all bytes form common characters of it; what ICU's detector
// names. kRefused, without the file's name, for binary data and for text whose charset nothing recognises.
Result<DecodedText> decode_text(std::string_view bytes, std::string_view declared = "");

}  // namespace glyph
