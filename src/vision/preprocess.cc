#include "vision/preprocess.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace glyph {
namespace {

constexpr double kMaxAspectRatio = 200.0;
constexpr int64_t kWord = 8;

// Python's round(): ties to even.
int64_t round_half_even(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

// Patch (row, column) of channel c, row by row, into `to`.
void cut_patch(const Image& image, int64_t row, int64_t column, int64_t side, int64_t c, uint8_t* to) {
  const auto channels = static_cast<int64_t>(image.channels);
  const uint8_t* from = image.pixels.data() + (row * side * image.width + column * side) * channels + c;
  for (int64_t y = 0; y < side; ++y, from += image.width * channels, to += side) {
    if (channels == 1 && side >= kWord && side <= 2 * kWord) {  // as two words that may overlap: a call for 14 bytes costs more than they do
      std::memcpy(to, from, kWord);
      std::memcpy(to + side - kWord, from + side - kWord, kWord);
    } else {
      for (int64_t x = 0; x < side; ++x) to[x] = from[x * channels];
    }
  }
}

Status check_image(const Image& image) {
  if (image.empty() || image.width <= 0 || image.height <= 0) return refused("the page image is empty");
  if (image.channels != 1 && image.channels != 3) {
    return refused(
        fmt::format("the page image has {} channels; 1 (grey) or 3 (RGB) can be read", image.channels));
  }
  const auto expected = static_cast<size_t>(image.width) * static_cast<size_t>(image.height) *
                        static_cast<size_t>(image.channels);
  if (image.pixels.size() != expected)
    return refused("the page image does not hold as many pixels as its size says");
  return {};
}

}  // namespace

Result<ImageSize> resized_size(const ImageSize& size, const PreprocessorConfig& config) {
  const int64_t factor = config.patch_size * config.merge_size;
  const int64_t frames = config.temporal_patch_size;
  int64_t height = size.height, width = size.width;
  if (height <= 0 || width <= 0) return refused("the page image is empty");
  if (height < factor || width < factor) {
    const double scale = std::max(static_cast<double>(factor) / static_cast<double>(height),
                                  static_cast<double>(factor) / static_cast<double>(width));
    height = static_cast<int64_t>(static_cast<double>(height) * scale);
    width = static_cast<int64_t>(static_cast<double>(width) * scale);
  }
  const auto h = static_cast<double>(height), w = static_cast<double>(width), f = static_cast<double>(factor);
  const double ratio = std::max(h, w) / std::min(h, w);
  if (ratio > kMaxAspectRatio) {
    return refused(
        fmt::format("a page of {} x {} pixels is {:.0f} times as long as wide; the limit is {:.0f}",
                    size.width, size.height, ratio, kMaxAspectRatio));
  }
  ImageSize result{.width = round_half_even(w / f) * factor, .height = round_half_even(h / f) * factor};
  const int64_t pixels = frames * result.height * result.width;
  const double wanted = static_cast<double>(frames) * h * w;
  if (pixels > config.max_pixels) {
    const double beta = std::sqrt(wanted / static_cast<double>(config.max_pixels));
    result.height = std::max(factor, static_cast<int64_t>(std::floor(h / beta / f)) * factor);
    result.width = std::max(factor, static_cast<int64_t>(std::floor(w / beta / f)) * factor);
  } else if (pixels < config.min_pixels) {
    const double beta = std::sqrt(static_cast<double>(config.min_pixels) / wanted);
    result.height = static_cast<int64_t>(std::ceil(h * beta / f)) * factor;
    result.width = static_cast<int64_t>(std::ceil(w * beta / f)) * factor;
  }
  return result;
}

Result<int64_t> num_image_tokens(const ImageSize& size, const PreprocessorConfig& config) {
  GLYPH_ASSIGN_OR_RETURN(const ImageSize resized, resized_size(size, config));
  const int64_t factor = config.patch_size * config.merge_size;
  return (resized.width / factor) * (resized.height / factor);
}

Result<Patches> make_patches(const Image& image, const PreprocessorConfig& config) {
  GLYPH_RETURN_IF_ERROR(check_image(image));
  GLYPH_ASSIGN_OR_RETURN(const ImageSize size,
                         resized_size({.width = image.width, .height = image.height}, config));
  Image resized;
  const bool same = size.width == image.width && size.height == image.height;
  if (!same) resized = resize_bicubic(image, size);
  const Image& source = same ? image : resized;

  const int64_t side = config.patch_size, merge = config.merge_size;
  Patches patches{.grid = {.height = size.height / side, .width = size.width / side},
                  .channels = image.channels,
                  .pixels = {}};
  patches.pixels.resize(static_cast<size_t>(patches.grid.num_patches() * side * side * image.channels));
  uint8_t* to = patches.pixels.data();
  for (const ops::PatchPosition& position : patch_positions(patches.grid, merge)) {
    for (int64_t c = 0; c < image.channels; ++c, to += side * side)
      cut_patch(source, position.row, position.column, side, c, to);
  }
  return patches;
}

std::vector<ops::PatchPosition> patch_positions(const ops::PatchGrid& grid, int64_t merge_size) {
  std::vector<ops::PatchPosition> positions;
  positions.reserve(static_cast<size_t>(grid.num_patches()));
  for (int64_t row = 0; row < grid.height; row += merge_size) {
    for (int64_t column = 0; column < grid.width; column += merge_size) {
      for (int64_t i = 0; i < merge_size * merge_size; ++i) {
        positions.push_back(
            {static_cast<int32_t>(row + i / merge_size), static_cast<int32_t>(column + i % merge_size)});
      }
    }
  }
  return positions;
}

std::array<float, 256> normalised_values(const PreprocessorConfig& config, int channel) {
  const auto c = static_cast<size_t>(channel);
  const auto unscale = static_cast<float>(1.0 / config.rescale_factor);
  const float mean = static_cast<float>(config.image_mean[c]) * unscale,
              deviation = static_cast<float>(config.image_std[c]) * unscale;
  std::array<float, 256> values;
  for (size_t i = 0; i < values.size(); ++i) values[i] = (static_cast<float>(i) - mean) / deviation;
  return values;
}

std::vector<float> pixel_values(const Patches& patches, const PreprocessorConfig& config) {
  const auto area = static_cast<size_t>(config.patch_size * config.patch_size);
  const auto channels = static_cast<size_t>(patches.channels);
  std::array<std::array<float, 256>, 3> tables;
  for (int c = 0; c < 3; ++c) tables[static_cast<size_t>(c)] = normalised_values(config, c);
  std::vector<float> values;
  values.reserve(static_cast<size_t>(patches.grid.num_patches() * 3 * config.temporal_patch_size) * area);
  for (size_t patch = 0; patch < static_cast<size_t>(patches.grid.num_patches()); ++patch) {
    for (size_t c = 0; c < 3; ++c) {
      const uint8_t* from = patches.pixels.data() + (patch * channels + std::min(c, channels - 1)) * area;
      for (int64_t frame = 0; frame < config.temporal_patch_size; ++frame) {
        for (size_t i = 0; i < area; ++i) values.push_back(tables[c][from[i]]);
      }
    }
  }
  return values;
}

}  // namespace glyph
