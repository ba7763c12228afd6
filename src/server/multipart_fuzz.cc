// A form: any bytes give parts inside the body or a sentence.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "server/multipart.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = std::min(input.find('\n'), input.size());
  const auto boundary = glyph::multipart_boundary(input.substr(0, line));
  const auto parts = glyph::parse_multipart(input, boundary.ok() ? *boundary : "b");
  if (!parts.ok()) return parts.status().code() == glyph::StatusCode::kUsage ? 0 : (std::abort(), 0);
  for (const auto& part : *parts) {
    if (part.name.empty() || part.bytes.data() < input.data() || part.bytes.data() + part.bytes.size() > input.data() + size) std::abort();
  }
  return 0;
}
