// What a subverted helper could send: any bytes, in pieces whose sizes the first byte chooses.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "base/utf8.h"
#include "ingest/extract_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = data[0] + 1;
  glyph::IngestLimits limits;
  limits.image_pixels = 1 << 16;
  limits.pages = 100;
  glyph::FrameParser parser(limits);
  for (size_t i = 1; i < size; i += piece) {
    if (!parser.feed(std::span(data + i, std::min(piece, size - i))).ok()) return 0;
  }
  const glyph::ExtractOutput output = parser.take();
  GLYPH_CHECK(output.warnings.size() <= glyph::kMaxWarnings && output.pages_read <= limits.pages);
  for (const glyph::Block& block : output.blocks) {
    GLYPH_CHECK(glyph::is_valid_utf8(block.text));
    const glyph::Image& image = block.image;
    GLYPH_CHECK(image.pixels.size() == static_cast<size_t>(image.width) * image.height * image.channels || image.empty());
  }
  return 0;
}
