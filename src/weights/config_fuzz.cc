// Any bytes as config.json, generation_config.json and preprocessor_config.json: a value or a Status, never a
// crash.
#include <cstdint>
#include <string_view>

#include "weights/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  const glyph::Result<glyph::ModelConfig> parsed = glyph::parse_model_config(json, "fuzz");
  const glyph::ModelConfig model = parsed.ok() ? *parsed : glyph::ModelConfig{};
  (void)glyph::parse_generation_config(json, "fuzz", model).ok();
  (void)glyph::parse_preprocessor_config(json, "fuzz", model).ok();
  return 0;
}
