#include <cstdio>
// jpeglib.h needs FILE and size_t first.
#include <jpeglib.h>

#include <csetjmp>
#include <string>

#include "render/image_formats.h"

namespace glyph {

namespace {

struct ErrorManager {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void keep_message(j_common_ptr info) {
  ErrorManager* errors = reinterpret_cast<ErrorManager*>(info->err);
  info->err->format_message(info, errors->message);
  std::longjmp(errors->jump, 1);
}

// Warnings are about damaged or missing data: libjpeg would go on with grey pixels, we refuse.
void refuse_warning(j_common_ptr info, int level) {
  if (level < 0) keep_message(info);
}

// libjpeg reports by longjmp: nothing with a destructor may live between setjmp and the calls.
bool read_header(jpeg_decompress_struct* info, ErrorManager* errors, std::span<const uint8_t> bytes) {
  if (setjmp(errors->jump)) return false;
  jpeg_mem_src(info, bytes.data(), bytes.size());
  jpeg_read_header(info, TRUE);
  info->out_color_space = info->jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
  if (info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK) info->out_color_space = JCS_CMYK;
  return true;
}

bool read_pixels(jpeg_decompress_struct* info, ErrorManager* errors, uint8_t* pixels, size_t row_bytes) {
  if (setjmp(errors->jump)) return false;
  info->mem->max_memory_to_use = 512L << 20;
  jpeg_start_decompress(info);
  while (info->output_scanline < info->output_height) {
    JSAMPROW row = pixels + row_bytes * info->output_scanline;
    jpeg_read_scanlines(info, &row, 1);
  }
  jpeg_finish_decompress(info);
  return true;
}

// Adobe's CMYK is stored inverted; without a profile this is the usual reading.
std::vector<uint8_t> rgb_of_cmyk(const std::vector<uint8_t>& cmyk, bool inverted) {
  std::vector<uint8_t> rgb(cmyk.size() / 4 * 3);
  for (size_t i = 0, o = 0; i + 3 < cmyk.size(); i += 4, o += 3) {
    const int k = inverted ? cmyk[i + 3] : 255 - cmyk[i + 3];
    for (size_t c = 0; c < 3; ++c) rgb[o + c] = static_cast<uint8_t>((inverted ? cmyk[i + c] : 255 - cmyk[i + c]) * k / 255);
  }
  return rgb;
}

}  // namespace

Result<Image> decode_jpeg(std::span<const uint8_t> bytes, const ImageLimits& limits) {
  jpeg_decompress_struct info;
  ErrorManager errors;
  info.err = jpeg_std_error(&errors.base);
  errors.base.error_exit = keep_message;
  errors.base.emit_message = refuse_warning;
  errors.message[0] = '\0';
  jpeg_create_decompress(&info);
  Image image;
  Status status;
  if (!read_header(&info, &errors, bytes)) {
    status = refused(std::string("damaged JPEG: ") + errors.message);
  } else {
    status = check_image_size(info.image_width, info.image_height, limits);
  }
  if (status.ok()) {
    image.width = static_cast<int>(info.image_width);
    image.height = static_cast<int>(info.image_height);
    const int channels = info.out_color_space == JCS_GRAYSCALE ? 1 : info.out_color_space == JCS_CMYK ? 4 : 3;
    const size_t row_bytes = static_cast<size_t>(image.width) * channels;
    image.pixels.resize(row_bytes * image.height);
    if (!read_pixels(&info, &errors, image.pixels.data(), row_bytes)) {
      status = refused(std::string("damaged JPEG: ") + errors.message);
    } else if (channels == 4) {
      image.pixels = rgb_of_cmyk(image.pixels, info.saw_Adobe_marker);
    }
    image.channels = channels == 1 ? 1 : 3;
  }
  jpeg_destroy_decompress(&info);
  if (!status.ok()) return status;
  return image;
}

}  // namespace glyph
