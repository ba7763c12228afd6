// Any UTF-8 as Markdown: never fails, never gives broken text.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/utf8.h"
#include "ingest/markdown.h"
#include "ingest/plain_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string text = glyph::markdown_to_text(glyph::clean_text(bytes));
  GLYPH_CHECK(glyph::is_valid_utf8(text));
  return 0;
}
