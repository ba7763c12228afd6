// Antialiased bicubic resize in the integer arithmetic torch uses for uint8: both directions separately, the
// horizontal one first and rounded to uint8, weights as 16-bit fractions. Pillow does the same with more
// bits, which is not the same result.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

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

// `count` output cells side by side, each the weighted sum of as many bytes, `stride` apart.
void mix_plain(const uint8_t* from, size_t stride, const int16_t* weights, const Taps::Cell& cell, int precision, size_t count, uint8_t* to) {
  for (size_t i = 0; i < count; ++i) {
    int sum = 1 << (precision - 1);
    for (int j = 0; j < cell.count; ++j) sum += weights[j] * from[static_cast<size_t>(j) * stride + i];
    to[i] = rounded(sum, precision);
  }
}

constexpr size_t kLane = 16;  // cells that are made at once

#if defined(__x86_64__)

// Two inputs and their weights are one 32-bit lane of a multiply-add.
struct Sums {
  __m128i sum[4];

  explicit Sums(int precision) {
    for (__m128i& lane : sum) lane = _mm_set1_epi32(1 << (precision - 1));
  }
  void add(__m128i first, __m128i second, int first_weight, int second_weight) {
    const __m128i zero = _mm_setzero_si128(), both = _mm_set1_epi32((first_weight & 0xFFFF) | second_weight << 16);
    const __m128i low = _mm_unpacklo_epi8(first, second), high = _mm_unpackhi_epi8(first, second);
    sum[0] = _mm_add_epi32(sum[0], _mm_madd_epi16(_mm_unpacklo_epi8(low, zero), both));
    sum[1] = _mm_add_epi32(sum[1], _mm_madd_epi16(_mm_unpackhi_epi8(low, zero), both));
    sum[2] = _mm_add_epi32(sum[2], _mm_madd_epi16(_mm_unpacklo_epi8(high, zero), both));
    sum[3] = _mm_add_epi32(sum[3], _mm_madd_epi16(_mm_unpackhi_epi8(high, zero), both));
  }
  // Saturation clamps to [0, 255].
  __m128i rounded(int precision) const {
    const __m128i shift = _mm_cvtsi32_si128(precision);
    return _mm_packus_epi16(_mm_packs_epi32(_mm_sra_epi32(sum[0], shift), _mm_sra_epi32(sum[1], shift)),
                            _mm_packs_epi32(_mm_sra_epi32(sum[2], shift), _mm_sra_epi32(sum[3], shift)));
  }
};

inline __m128i load_lane(const uint8_t* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }
inline void store_lane(uint8_t* to, __m128i lane) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), lane); }

// mix_plain() of kLane cells.
void mix_lane(const uint8_t* from, size_t stride, const int16_t* weights, const Taps::Cell& cell, int precision, uint8_t* to) {
  Sums sums(precision);
  int j = 0;
  for (; j + 1 < cell.count; j += 2, from += 2 * stride) sums.add(load_lane(from), load_lane(from + stride), weights[j], weights[j + 1]);
  if (j < cell.count) sums.add(load_lane(from), _mm_setzero_si128(), weights[j], 0);
  store_lane(to, sums.rounded(precision));
}

// Bytes (kLane, kLane) turned; the rows of each lie `stride` apart. Four rounds of interleaving rows i and i + 8.
void transpose_tile(const uint8_t* from, size_t from_stride, uint8_t* to, size_t to_stride) {
  __m128i rows[kLane], turned[kLane];
  for (size_t i = 0; i < kLane; ++i) rows[i] = load_lane(from + i * from_stride);
  for (int round = 0; round < 4; ++round) {
    for (size_t i = 0; i < kLane / 2; ++i) {
      turned[2 * i] = _mm_unpacklo_epi8(rows[i], rows[i + kLane / 2]);
      turned[2 * i + 1] = _mm_unpackhi_epi8(rows[i], rows[i + kLane / 2]);
    }
    std::copy(std::begin(turned), std::end(turned), std::begin(rows));
  }
  for (size_t i = 0; i < kLane; ++i) store_lane(to + i * to_stride, rows[i]);
}

#else

void mix_lane(const uint8_t* from, size_t stride, const int16_t* weights, const Taps::Cell& cell, int precision, uint8_t* to) {
  mix_plain(from, stride, weights, cell, precision, kLane, to);
}

void transpose_tile(const uint8_t* from, size_t from_stride, uint8_t* to, size_t to_stride) {
  for (size_t i = 0; i < kLane; ++i) {
    for (size_t j = 0; j < kLane; ++j) to[j * to_stride + i] = from[i * from_stride + j];
  }
}

#endif

// kLane rows of `width` bytes, turned: (width, kLane), or back. The memory of the turned ones is whole tiles.
size_t tiles_of(size_t width) { return (width + kLane - 1) / kLane * kLane; }
void turn_rows(const uint8_t* rows, size_t width, size_t num_rows, std::vector<uint8_t>& turned) {
  const size_t whole = num_rows == kLane ? width / kLane * kLane : 0;
  for (size_t x = 0; x < whole; x += kLane) transpose_tile(rows + x, width, turned.data() + x * kLane, kLane);
  for (size_t x = whole; x < width; ++x) {
    for (size_t y = 0; y < num_rows; ++y) turned[x * kLane + y] = rows[y * width + x];
  }
}
void turn_back(const std::vector<uint8_t>& turned, size_t width, size_t num_rows, uint8_t* rows) {
  const size_t whole = num_rows == kLane ? width / kLane * kLane : 0;
  for (size_t x = 0; x < whole; x += kLane) transpose_tile(turned.data() + x * kLane, kLane, rows + x, width);
  for (size_t x = whole; x < width; ++x) {
    for (size_t y = 0; y < num_rows; ++y) rows[y * width + x] = turned[x * kLane + y];
  }
}

// A strip of kLane rows at a time is turned, so that cells of one column, which have the same weights, lie side by side.
Image resize_width(const Image& image, int width) {
  const Taps taps = make_taps(image.width, width);
  const auto channels = static_cast<size_t>(image.channels), height = static_cast<size_t>(image.height);
  const size_t from_size = static_cast<size_t>(image.width) * channels, to_size = static_cast<size_t>(width) * channels;
  Image out{.width = width, .height = image.height, .channels = image.channels, .pixels = {}};
  out.pixels.resize(to_size * height);
  std::vector<uint8_t> from(tiles_of(from_size) * kLane), to(tiles_of(to_size) * kLane);
  for (size_t y = 0; y < height; y += kLane) {
    const size_t num_rows = std::min(kLane, height - y);
    turn_rows(image.pixels.data() + y * from_size, from_size, num_rows, from);
    const int16_t* weights = taps.weights.data();
    uint8_t* cells = to.data();
    for (const Taps::Cell& cell : taps.cells) {
      const uint8_t* first = from.data() + static_cast<size_t>(cell.first) * channels * kLane;
      for (size_t c = 0; c < channels; ++c, cells += kLane) {
        mix_lane(first + c * kLane, channels * kLane, weights, cell, taps.precision, cells);
      }
      weights += taps.max_count;
    }
    turn_back(to, to_size, num_rows, out.pixels.data() + y * to_size);
  }
  return out;
}

Image resize_height(const Image& image, int height) {
  const Taps taps = make_taps(image.height, height);
  const auto row_size = static_cast<size_t>(image.width) * static_cast<size_t>(image.channels);
  Image out{.width = image.width, .height = height, .channels = image.channels, .pixels = {}};
  out.pixels.resize(row_size * static_cast<size_t>(height));
  uint8_t* to = out.pixels.data();
  const int16_t* weights = taps.weights.data();
  for (const Taps::Cell& cell : taps.cells) {
    const uint8_t* from = image.pixels.data() + static_cast<size_t>(cell.first) * row_size;
    size_t i = 0;
    for (; i + kLane <= row_size; i += kLane) mix_lane(from + i, row_size, weights, cell, taps.precision, to + i);
    mix_plain(from + i, row_size, weights, cell, taps.precision, row_size - i, to + i);
    to += row_size;
    weights += taps.max_count;
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
