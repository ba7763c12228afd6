// Any UTF-8 as HTML: never fails, never gives broken text.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "ingest/html.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(glyph::html_declared_charset(bytes));
  const std::string text = glyph::html_to_text(glyph::sanitize_utf8(bytes), {});
  GLYPH_CHECK(glyph::is_valid_utf8(text));
  return 0;
}
