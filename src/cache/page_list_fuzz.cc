// The list of a document's pages; what is accepted is written as it was.
#include <cstdint>
#include <cstdlib>

#include "cache/page_list.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto pages = glyph::parse_page_list(text);
  if (pages.ok() && glyph::page_list_text(*pages) != text) std::abort();
  return 0;
}
