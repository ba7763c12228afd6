#include "render/crop.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace glyph {

namespace {

constexpr double kTolerance = 5;  // grey levels
constexpr int kPrecisionBits = 32 - 8 - 2;

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

// Weights of the input columns that make one output column, in fixed point.
struct Kernel {
  int begin = 0;
  std::vector<int> weights;
};

Kernel make_kernel(int out, double scale, int in_size) {
  const double filter_scale = std::max(scale, 1.0);
  const double support = 2.0 * filter_scale;
  const double center = (out + 0.5) * scale;
  const double inverse = 1.0 / filter_scale;
  Kernel kernel;
  kernel.begin = std::max(0, static_cast<int>(center - support + 0.5));
  const int end = std::min(in_size, static_cast<int>(center + support + 0.5));
  std::vector<double> weights;
  double sum = 0;
  for (int x = 0; x < end - kernel.begin; ++x) {
    weights.push_back(bicubic((x + kernel.begin - center + 0.5) * inverse));
    sum += weights.back();
  }
  for (double& weight : weights) {
    if (sum != 0.0) weight /= sum;
    kernel.weights.push_back(static_cast<int>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kPrecisionBits)));
  }
  return kernel;
}

uint8_t clip8(int value) { return static_cast<uint8_t>(std::clamp(value >> kPrecisionBits, 0, 255)); }

int grey_of(const uint8_t* pixel, int channels) {
  if (channels == 1) return pixel[0];
  return (pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 0x8000) >> 16;
}

// numpy's median of the (at most 2x2) top left corner.
double corner_level(const uint8_t* pixels, size_t stride, int width, int height, int channels) {
  std::vector<int> levels;
  for (int y = 0; y < std::min(2, height); ++y) {
    for (int x = 0; x < std::min(2, width); ++x) {
      levels.push_back(grey_of(pixels + static_cast<size_t>(y) * stride + static_cast<size_t>(x) * channels, channels));
    }
  }
  std::sort(levels.begin(), levels.end());
  const size_t middle = levels.size() / 2;
  return levels.size() % 2 ? levels[middle] : (levels[middle - 1] + levels[middle]) / 2.0;
}

// Python's round(), which crop boxes go through.
int round_half_even(double value) { return static_cast<int>(std::nearbyint(value)); }

}  // namespace

Image scale_width(const Image& image, int width) {
  Image out;
  out.width = width;
  out.height = image.height;
  out.channels = image.channels;
  out.pixels.resize(static_cast<size_t>(width) * image.height * image.channels);
  const double scale = static_cast<double>(image.width) / width;
  const size_t channels = static_cast<size_t>(image.channels);
  for (int x = 0; x < width; ++x) {
    const Kernel kernel = make_kernel(x, scale, image.width);
    for (int y = 0; y < image.height; ++y) {
      const uint8_t* in = image.pixels.data() + (static_cast<size_t>(y) * image.width + kernel.begin) * channels;
      uint8_t* to = out.pixels.data() + (static_cast<size_t>(y) * width + x) * channels;
      for (size_t c = 0; c < channels; ++c) {
        int sum = 1 << (kPrecisionBits - 1);
        for (size_t i = 0; i < kernel.weights.size(); ++i) sum += in[i * channels + c] * kernel.weights[i];
        to[c] = clip8(sum);
      }
    }
  }
  return out;
}

InkExtent find_ink(const uint8_t* pixels, size_t stride, int width, int height, int channels, int max_right,
                   int max_bottom) {
  const double corner = corner_level(pixels, stride, width, height, channels);
  const auto is_ink = [&](int x, int y) {
    const int level = grey_of(pixels + static_cast<size_t>(y) * stride + static_cast<size_t>(x) * channels, channels);
    return std::fabs(level - corner) > kTolerance;
  };
  InkExtent extent;
  for (int y = max_bottom - 1; y >= 0 && extent.bottom == 0; --y) {
    for (int x = 0; x < max_right; ++x) {
      if (is_ink(x, y)) {
        extent.bottom = y + 1;
        break;
      }
    }
  }
  for (int x = max_right - 1; x >= 0 && extent.right == 0; --x) {
    for (int y = 0; y < extent.bottom; ++y) {
      if (is_ink(x, y)) {
        extent.right = x + 1;
        break;
      }
    }
  }
  return extent;
}

int cropped_width(int width, int ink_right, double margin) {
  return std::max(1, round_half_even(std::min<double>(width, ink_right + margin)));
}

int cropped_height(int height, int ink_bottom, double margin) {
  return std::max(1, round_half_even(std::min<double>(height, ink_bottom - 1 + margin)));
}

}  // namespace glyph
