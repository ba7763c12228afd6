#include <webp/decode.h>

#include <vector>

#include "render/image_formats.h"

namespace glyph {

namespace {

// Lays RGBA over white.
std::vector<uint8_t> over_white(const std::vector<uint8_t>& rgba) {
  std::vector<uint8_t> rgb(rgba.size() / 4 * 3);
  for (size_t i = 0, o = 0; i + 3 < rgba.size(); i += 4, o += 3) {
    const int alpha = rgba[i + 3];
    for (size_t c = 0; c < 3; ++c) rgb[o + c] = static_cast<uint8_t>((rgba[i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
  }
  return rgb;
}

}  // namespace

Result<Image> decode_webp(std::span<const uint8_t> bytes, const ImageLimits& limits) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes.data(), bytes.size(), &features) != VP8_STATUS_OK) return refused("damaged WebP header");
  if (features.has_animation) return refused("an animated WebP is not one picture");
  GLYPH_RETURN_IF_ERROR(check_image_size(features.width, features.height, limits));
  Image image;
  image.width = features.width;
  image.height = features.height;
  image.channels = 3;
  const size_t num_pixels = static_cast<size_t>(image.width) * image.height;
  if (features.has_alpha) {
    std::vector<uint8_t> rgba(num_pixels * 4);
    if (!WebPDecodeRGBAInto(bytes.data(), bytes.size(), rgba.data(), rgba.size(), image.width * 4)) {
      return refused("damaged or truncated WebP");
    }
    image.pixels = over_white(rgba);
    return image;
  }
  image.pixels.resize(num_pixels * 3);
  if (!WebPDecodeRGBInto(bytes.data(), bytes.size(), image.pixels.data(), image.pixels.size(), image.width * 3)) {
    return refused("damaged or truncated WebP");
  }
  return image;
}

}  // namespace glyph
