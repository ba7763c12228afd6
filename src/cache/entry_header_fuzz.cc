// The header of a cache file. Damaged headers are refused by their checksum, so every input is also tried with the right one.
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "cache/checksum.h"
#include "cache/entry_header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> bytes(data, size);
  (void)glyph::parse_entry_header(bytes);
  if (size < glyph::kEntryHeaderBytes) return 0;
  std::vector<uint8_t> signed_bytes(data, data + glyph::kEntryHeaderBytes);
  constexpr size_t kChecked = glyph::kEntryHeaderBytes - sizeof(uint64_t);
  const uint64_t checksum = glyph::checksum64(std::span(signed_bytes).first(kChecked));
  std::memcpy(signed_bytes.data() + kChecked, &checksum, sizeof checksum);
  const auto header = glyph::parse_entry_header(signed_bytes);
  if (!header.ok()) return 0;
  const auto again = glyph::to_bytes(*header);
  if (std::memcmp(again.data(), signed_bytes.data(), again.size()) != 0) std::abort();  // what is accepted is kept as it is
  return 0;
}
