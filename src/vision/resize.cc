// Antialiased bicubic resize in the integer arithmetic torch uses for uint8: both directions separately, the
// horizontal one first and rounded to uint8, weights as 16-bit fractions. Pillow does the same with more
// bits, which is not the same result.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/check.h"
#include "vision/preprocess.h"

namespace glyph {
namespace {

// The input cells of every output cell along one direction and their weights, scaled by 2^precision.
struct Taps {
  struct Cell {
    int first = 0;  // input index
    int count = 0;
  };
  std::vector<Cell> cells;       // (output size)
  std::vector<int16_t> weights;  // (output size, max_count)
  int max_count = 0;
  int precision = 0;
};

// Keys' cubic convolution with a = -0.5.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

// The weights of one output cell, summing to 1.
Taps::Cell weigh(int64_t index, int64_t input_size, double scale, double support,
                 std::vector<double>& weights) {
  const double centre = scale * (static_cast<double>(index) + 0.5);
  const double inverse = scale >= 1.0 ? 1.0 / scale : 1.0;
  const int64_t first = std::max<int64_t>(static_cast<int64_t>(centre - support + 0.5), 0);
  const int64_t end = std::min(static_cast<int64_t>(centre + support + 0.5), input_size);
  const int64_t count = std::clamp<int64_t>(end - first, 0, static_cast<int64_t>(weights.size()));
  double total = 0;
  for (int64_t j = 0; j < count; ++j) {
    const double weight = cubic((static_cast<double>(j + first) - centre + 0.5) * inverse);
    weights[static_cast<size_t>(j)] = weight;
    total += weight;
  }
  for (int64_t j = 0; j < count && total != 0.0; ++j) weights[static_cast<size_t>(j)] /= total;
  return {static_cast<int>(first), static_cast<int>(count)};
}

// As many fraction bits as fit 16 bits with the largest weight.
int precision_for(double largest) {
  int precision = 0;
  while (precision < 22 && static_cast<int>(0.5 + largest * (1 << (precision + 1))) < (1 << 15)) ++precision;
  return precision;
}

Taps make_taps(int64_t input_size, int64_t output_size) {
  const double scale = static_cast<double>(input_size) / static_cast<double>(output_size);
  const double support = scale >= 1.0 ? 2.0 * scale : 2.0;
  Taps taps;
  taps.max_count = static_cast<int>(std::ceil(support)) * 2 + 1;
  const auto max_count = static_cast<size_t>(taps.max_count);
  std::vector<double> weights(static_cast<size_t>(output_size) * max_count);
  std::vector<double> row(max_count);
  double largest = 0;
  for (int64_t i = 0; i < output_size; ++i) {
    std::fill(row.begin(), row.end(), 0.0);
    taps.cells.push_back(weigh(i, input_size, scale, support, row));
    std::copy(row.begin(), row.end(), weights.begin() + i * taps.max_count);
    largest = std::max(largest, *std::max_element(row.begin(), row.end()));
  }
  taps.precision = precision_for(largest);
  for (const double weight : weights) {
    const double scaled = weight * (1 << taps.precision);
    taps.weights.push_back(static_cast<int16_t>(static_cast<int>(scaled < 0 ? scaled - 0.5 : scaled + 0.5)));
  }
  return taps;
}

uint8_t rounded(int sum, int precision) { return static_cast<uint8_t>(std::clamp(sum >> precision, 0, 255)); }

Image resize_width(const Image& image, int width) {
  const Taps taps = make_taps(image.width, width);
  const auto channels = static_cast<size_t>(image.channels);
  Image out{.width = width, .height = image.height, .channels = image.channels, .pixels = {}};
  out.pixels.resize(static_cast<size_t>(width) * static_cast<size_t>(image.height) * channels);
  uint8_t* to = out.pixels.data();
  for (int y = 0; y < image.height; ++y) {
    const uint8_t* row =
        image.pixels.data() + static_cast<size_t>(y) * static_cast<size_t>(image.width) * channels;
    const int16_t* weights = taps.weights.data();
    for (const Taps::Cell& cell : taps.cells) {
      const uint8_t* from = row + static_cast<size_t>(cell.first) * channels;
      for (size_t c = 0; c < channels; ++c) {
        int sum = 1 << (taps.precision - 1);
        for (int j = 0; j < cell.count; ++j) sum += weights[j] * from[static_cast<size_t>(j) * channels + c];
        *to++ = rounded(sum, taps.precision);
      }
      weights += taps.max_count;
    }
  }
  return out;
}

Image resize_height(const Image& image, int height) {
  const Taps taps = make_taps(image.height, height);
  const auto row_size = static_cast<size_t>(image.width) * static_cast<size_t>(image.channels);
  Image out{.width = image.width, .height = height, .channels = image.channels, .pixels = {}};
  out.pixels.resize(row_size * static_cast<size_t>(height));
  std::vector<int> sums(row_size);
  for (int y = 0; y < height; ++y) {
    const Taps::Cell& cell = taps.cells[static_cast<size_t>(y)];
    const int16_t* weights =
        taps.weights.data() + static_cast<size_t>(y) * static_cast<size_t>(taps.max_count);
    std::fill(sums.begin(), sums.end(), 1 << (taps.precision - 1));
    for (int j = 0; j < cell.count; ++j) {
      const uint8_t* from = image.pixels.data() + static_cast<size_t>(cell.first + j) * row_size;
      const int weight = weights[j];
      for (size_t i = 0; i < row_size; ++i) sums[i] += weight * from[i];
    }
    uint8_t* to = out.pixels.data() + static_cast<size_t>(y) * row_size;
    for (size_t i = 0; i < row_size; ++i) to[i] = rounded(sums[i], taps.precision);
  }
  return out;
}

}  // namespace

Image resize_bicubic(const Image& image, const ImageSize& size) {
  GLYPH_CHECK(!image.empty() && size.width > 0 && size.height > 0);
  Image narrowed = size.width == image.width ? image : resize_width(image, static_cast<int>(size.width));
  if (size.height == image.height) return narrowed;
  return resize_height(narrowed, static_cast<int>(size.height));
}

}  // namespace glyph
