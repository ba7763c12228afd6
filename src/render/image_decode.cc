#include "render/image_decode.h"

#include <fmt/format.h>

#include <cstring>

#include "render/image_formats.h"

namespace glyph {

namespace {

bool starts_with(std::span<const uint8_t> bytes, size_t at, std::string_view signature) {
  return bytes.size() >= at + signature.size() && std::memcmp(bytes.data() + at, signature.data(), signature.size()) == 0;
}

Result<Image> decode(std::span<const uint8_t> bytes, const ImageLimits& limits) {
  if (starts_with(bytes, 0, "\x89PNG\r\n\x1a\n")) return decode_png(bytes, limits);
  if (starts_with(bytes, 0, "\xFF\xD8\xFF")) return decode_jpeg(bytes, limits);
  if (starts_with(bytes, 0, "RIFF") && starts_with(bytes, 8, "WEBP")) return decode_webp(bytes, limits);
  return refused("not a PNG, JPEG or WebP picture");
}

}  // namespace

Status check_image_size(int64_t width, int64_t height, const ImageLimits& limits) {
  if (width < 1 || height < 1) return refused(fmt::format("a picture of {}x{} pixels", width, height));
  if (width > limits.max_side || height > limits.max_side) {
    return refused(fmt::format("a picture of {}x{} pixels is above the limit of {} pixels a side", width, height, limits.max_side));
  }
  if (width * height > limits.max_pixels) {
    return refused(fmt::format("a picture of {}x{} pixels is above the limit of {} pixels", width, height, limits.max_pixels));
  }
  return {};
}

Result<Image> decode_image(std::span<const uint8_t> bytes, std::string_view name, const ImageLimits& limits) {
  Result<Image> image = decode(bytes, limits);
  if (image.ok()) return image;
  return Status(image.status().code(), fmt::format("{}: {}", name, image.status().message()));
}

}  // namespace glyph
