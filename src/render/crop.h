// The published post-processing of a page: horizontal scaling and the two crops.
#pragma once

#include "glyph/document.h"

namespace glyph {

// Pillow's bicubic resize to `width` columns, rows unchanged.
Image scale_width(const Image& image, int width);

// Columns or rows from the end on which hold no ink: pixels whose grey level differs from the top left corner's by more than 5.
struct InkExtent {
  int right = 0;   // last ink column + 1, 0 = no ink
  int bottom = 0;  // last ink row + 1
};
// Looks at columns below `max_right` and rows below `max_bottom` only.
InkExtent find_ink(const uint8_t* pixels, size_t stride, int width, int height, int channels, int max_right, int max_bottom);

// Width and height after cropping; a crop that would leave nothing leaves one pixel.
int cropped_width(int width, int ink_right, double margin);
int cropped_height(int height, int ink_bottom, double margin);

}  // namespace glyph
