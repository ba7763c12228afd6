// Pictures: whatever the bytes are, decode_image() answers with an image of the promised shape or a sentence.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "render/image_decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  glyph::ImageLimits limits;
  limits.max_side = 512;
  limits.max_pixels = 100'000;
  const auto image = glyph::decode_image({data, size}, "fuzz", limits);
  if (!image.ok()) {
    if (image.status().message().empty()) std::abort();
    return 0;
  }
  if (image->pixels.size() != static_cast<size_t>(image->width) * image->height * image->channels) std::abort();
  return 0;
}
