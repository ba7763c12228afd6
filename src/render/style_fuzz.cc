// Style files: whatever the bytes are, parse() answers with a style that validates and survives a round trip, or a sentence.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "glyph/page_style.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto style = glyph::PageStyle::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!style.ok()) {
    if (style.status().message().empty()) std::abort();
    return 0;
  }
  const auto again = glyph::PageStyle::parse(style->canonical_json(), "again");
  if (!again.ok() || !(*again == *style)) std::abort();
  return 0;
}
