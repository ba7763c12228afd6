#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <vector>

#include "render/image_formats.h"

namespace glyph {

namespace {

struct Source {
  const uint8_t* next;
  size_t left;
};

void read_bytes(png_structp png, png_bytep to, png_size_t size) {
  Source* source = static_cast<Source*>(png_get_io_ptr(png));
  if (size > source->left) png_error(png, "the file ends early");
  std::memcpy(to, source->next, size);
  source->next += size;
  source->left -= size;
}

void keep_message(png_structp png, png_const_charp message) {
  std::strncpy(static_cast<char*>(png_get_error_ptr(png)), message, 99);
  png_longjmp(png, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

// libpng reports by longjmp: nothing with a destructor may live between setjmp and the calls.
bool read_header(png_structp png, png_infop info, Source* source) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_read_fn(png, source, read_bytes);
  png_set_chunk_malloc_max(png, 8u << 20);
  png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF);  // our own limits come next, with our own words
  png_read_info(png, info);
  return true;
}

// Everything becomes 8-bit grey or RGB; transparency is laid over white.
bool read_pixels(png_structp png, png_infop info, Image* image, std::vector<png_bytep>* rows) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_expand(png);
  png_set_scale_16(png);
  png_color_16 white = {0, 255, 255, 255, 255};
  png_set_background(png, &white, PNG_BACKGROUND_GAMMA_SCREEN, 0, 1.0);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  image->channels = png_get_channels(png, info);
  if (image->channels != 1 && image->channels != 3) return false;
  const size_t row_bytes = static_cast<size_t>(image->width) * image->channels;
  if (png_get_rowbytes(png, info) != row_bytes) return false;
  image->pixels.resize(row_bytes * image->height);
  rows->resize(static_cast<size_t>(image->height));
  for (int y = 0; y < image->height; ++y) (*rows)[y] = image->pixels.data() + static_cast<size_t>(y) * row_bytes;
  png_read_image(png, rows->data());
  png_read_end(png, nullptr);
  return true;
}

}  // namespace

Result<Image> decode_png(std::span<const uint8_t> bytes, const ImageLimits& limits) {
  char message[100] = "unreadable";
  Source source = {bytes.data(), bytes.size()};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, keep_message, ignore_warning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  if (!info) {
    png_destroy_read_struct(&png, nullptr, nullptr);
    return internal_error("libpng cannot be started");
  }
  Image image;
  std::vector<png_bytep> rows;
  Status status;
  if (!read_header(png, info, &source)) {
    status = refused(std::string("damaged PNG: ") + message);
  } else {
    image.width = static_cast<int>(std::min<png_uint_32>(png_get_image_width(png, info), 0x7FFFFFFF));
    image.height = static_cast<int>(std::min<png_uint_32>(png_get_image_height(png, info), 0x7FFFFFFF));
    status = check_image_size(image.width, image.height, limits);
    if (status.ok() && !read_pixels(png, info, &image, &rows)) {
      status = refused(std::string("damaged PNG: ") + message);
    }
  }
  png_destroy_read_struct(&png, &info, nullptr);
  if (!status.ok()) return status;
  return image;
}

}  // namespace glyph
