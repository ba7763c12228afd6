// On a GPU: several pages at once, recorded or not, are what single pages are. Without a GPU nothing is tested.
#include <gtest/gtest.h>

#include <cmath>

#include "tensor/cuda_backend.h"
#include "vision/vision_model.h"

namespace glyph {
namespace {

constexpr PageShape kShape{{10, 6}, 1};

Patches patches_of(const PageShape& shape, uint32_t seed) {
  Patches patches{.grid = shape.grid, .channels = shape.channels, .pixels = {}};
  patches.pixels.resize(static_cast<size_t>(shape.grid.num_patches() * shape.channels * 14 * 14));
  for (uint8_t& pixel : patches.pixels) pixel = static_cast<uint8_t>((seed = seed * 1664525u + 1013904223u) >> 24);
  return patches;
}

class VisionOnGpu : public testing::TestWithParam<Precision> {
 public:
  void SetUp() override {
    auto opened = open_cuda_device();
    if (!opened.ok()) GTEST_SKIP() << opened.status().message();
    device = *std::move(opened);
    config = load_model_config("tests/model").value();
    checkpoint = Checkpoint::random(5);
    vision.emplace(VisionModel::load(*device, config, PreprocessorConfig{}, checkpoint, {GetParam()}).value());
    for (uint32_t i = 0; i < 6; ++i) {
      pages.push_back(patches_of(kShape, i));
      alone.push_back(host_copy(*device, vision->encode(pages.back()).value().values.view()));
    }
  }
  void expect_as_alone(size_t begin, size_t count) {
    const auto together = vision->encode(std::span(pages).subspan(begin, count)).value();
    const float tolerance = GetParam() == Precision::kF32 ? 1e-4f : 0.05f;
    for (size_t i = 0; i < count; ++i) {
      const Tensor values = host_copy(*device, together[i].values.view());
      for (int64_t row = 0; row < values.shape()[0]; ++row) {
        for (int64_t column = 0; column < values.shape()[1]; ++column) {
          const float expected = value_at(alone[begin + i].view(), {row, column});
          ASSERT_TRUE(std::isfinite(expected));
          ASSERT_NEAR(value_at(values.view(), {row, column}), expected, tolerance) << "page " << begin + i << " of " << count;
        }
      }
    }
  }

  std::unique_ptr<Device> device;
  ModelConfig config;
  Checkpoint checkpoint;
  std::optional<VisionModel> vision;
  std::vector<Patches> pages;
  std::vector<Tensor> alone;
};

TEST_P(VisionOnGpu, PagesTogetherAreWhatTheyAreAlone) {
  expect_as_alone(0, 6);
  pages[2] = patches_of({{4, 8}, 3}, 9);
  alone[2] = host_copy(*device, vision->encode(pages[2]).value().values.view());
  expect_as_alone(0, 6);
}

TEST_P(VisionOnGpu, RecordedPassesReadWhatTheyAreGiven) {
  for (const int64_t count : {1, 2, 4}) vision->compile(kShape, count);
  for (int round = 0; round < 3; ++round) {
    for (const size_t first : {0, 1, 2}) {
      for (const size_t count : {1u, 2u, 4u}) expect_as_alone(first, count);
    }
    expect_as_alone(0, 6);  // not compiled, between them
  }
  EXPECT_TRUE(device->take_status().ok());
}

TEST_P(VisionOnGpu, MarksTellTime) {
  const auto begin = device->mark();
  expect_as_alone(0, 4);
  const double ms = device->mark()->ms_since(*begin);
  EXPECT_GT(ms, 0);
  EXPECT_LT(ms, 60e3);
}

INSTANTIATE_TEST_SUITE_P(Precisions, VisionOnGpu, testing::Values(Precision::kF32, Precision::kBF16));

}  // namespace
}  // namespace glyph
