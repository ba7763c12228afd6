#include "render/png.h"

#include <png.h>

#include <csetjmp>

#include "base/check.h"

namespace glyph {

namespace {

void append_bytes(png_structp png, png_bytep data, png_size_t size) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<const char*>(data), size);
}

void flush_nothing(png_structp) {}

// libpng reports by longjmp: nothing with a destructor may live between setjmp and the calls.
bool write_image(png_structp png, png_infop info, const Image& image, int level, std::string* out) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_write_fn(png, out, append_bytes, flush_nothing);
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8,
               image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(png, level);
  // Text pages compress best, and fastest, without row filters.
  png_set_filter(png, PNG_FILTER_TYPE_BASE, image.channels == 1 ? PNG_FILTER_NONE : PNG_FILTER_SUB);
  png_write_info(png, info);
  const size_t row_bytes = static_cast<size_t>(image.width) * image.channels;
  for (int y = 0; y < image.height; ++y) png_write_row(png, image.pixels.data() + static_cast<size_t>(y) * row_bytes);
  png_write_end(png, info);
  return true;
}

}  // namespace

Result<std::string> encode_png(const Image& image, int level) {
  GLYPH_CHECK(image.channels == 1 || image.channels == 3);
  GLYPH_CHECK(image.pixels.size() == static_cast<size_t>(image.width) * image.height * image.channels);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  std::string out;
  const bool written = info && write_image(png, info, image, level, &out);
  png_destroy_write_struct(&png, &info);
  if (!written) return internal_error("libpng cannot write the page");
  return out;
}

}  // namespace glyph
