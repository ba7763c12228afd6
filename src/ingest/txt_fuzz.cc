// Any bytes as a text file: what is accepted must be clean UTF-8.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "ingest/charset.h"
#include "ingest/detect.h"
#include "ingest/plain_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(glyph::detect_format("file.txt", bytes));
  const auto decoded = glyph::decode_text(bytes);
  if (!decoded.ok()) return 0;
  GLYPH_CHECK(glyph::is_valid_utf8(decoded->text));
  const std::string clean = glyph::clean_text(decoded->text);
  GLYPH_CHECK(clean.find('\0') == std::string::npos && clean.find('\r') == std::string::npos);
  GLYPH_CHECK(glyph::clean_text(clean) == clean);
  return 0;
}
