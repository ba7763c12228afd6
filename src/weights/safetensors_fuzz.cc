// Any bytes as a safetensors file: every tensor of an accepted header lies inside the file.
#include <cstdint>
#include <cstdlib>

#include "weights/safetensors_header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto header = glyph::read_safetensors_header({data, size}, "fuzz");
  if (!header.ok()) return 0;
  for (const glyph::HeaderEntry& entry : header->entries) {
    if (entry.begin > entry.end || entry.end > size - header->data_offset) std::abort();
  }
  return 0;
}
