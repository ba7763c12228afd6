// The three decoders behind decode_image(). Each gets bytes that start with its signature and returns an image or a sentence
// without the input's name.
#pragma once

#include <span>

#include "render/image_decode.h"

namespace glyph {

Result<Image> decode_png(std::span<const uint8_t> bytes, const ImageLimits& limits);
Result<Image> decode_jpeg(std::span<const uint8_t> bytes, const ImageLimits& limits);
Result<Image> decode_webp(std::span<const uint8_t> bytes, const ImageLimits& limits);

// kRefused when the size is zero or beyond a limit.
Status check_image_size(int64_t width, int64_t height, const ImageLimits& limits);

}  // namespace glyph
