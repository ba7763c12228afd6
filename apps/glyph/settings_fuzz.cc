// A configuration file: any bytes give settings or a sentence, and every number stays inside its limits.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "settings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  glyph::Settings settings;
  const glyph::Status status = settings.load_file({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!status.ok() && status.code() != glyph::StatusCode::kUsage) std::abort();
  const auto tokens = settings.integer("max-tokens", 1, 1, 100);
  if (tokens.ok() && (*tokens < 1 || *tokens > 100)) std::abort();
  const auto top_p = settings.number("top-p", 1, 0, 1);
  if (top_p.ok() && !(*top_p >= 0 && *top_p <= 1)) std::abort();
  return 0;
}
