// reading.json, from any bytes.
#include <cstdint>
#include <string_view>

#include "server/saved_document.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)glyph::parse_saved_reading({reinterpret_cast<const char*>(data), size});
  return 0;
}
