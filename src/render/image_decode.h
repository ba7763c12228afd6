// PNG, JPEG or WebP bytes -> Image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "glyph/document.h"
#include "glyph/status.h"

namespace glyph {

struct ImageLimits {
  int max_side = 8192;                  // pixels
  int64_t max_pixels = 36'000'000;      // width * height
};

// Picks the decoder by the first bytes. Grey images have one channel, everything else three; transparency is laid over white;
// 16-bit samples are reduced to 8. `name` is what messages call the input. kRefused: not one of the three formats, damaged,
// truncated, or larger than a limit (checked before pixels are allocated; names the limit and the size seen).
Result<Image> decode_image(std::span<const uint8_t> bytes, std::string_view name, const ImageLimits& limits = {});

}  // namespace glyph
