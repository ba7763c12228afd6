#include "vision/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace glyph {
namespace {

using ::testing::HasSubstr;

Image grey(int width, int height, uint8_t value) {
  return {.width = width,
          .height = height,
          .channels = 1,
          .pixels = std::vector<uint8_t>(static_cast<size_t>(width) * static_cast<size_t>(height), value)};
}

// Expected sizes are what transformers' smart_resize returns with the same limits.
TEST(ResizedSize, IsTheReferences) {
  struct Case {
    ImageSize from, to;
  };
  for (const Case& c : std::vector<Case>{{{595, 842}, {588, 840}},
                                         {{588, 840}, {588, 840}},
                                         {{1, 1}, {84, 84}},
                                         {{20, 3000}, {28, 4200}},
                                         {{70, 42}, {112, 84}},
                                         {{126, 98}, {112, 112}},
                                         {{112, 56}, {112, 56}},
                                         {{5000, 7000}, {2044, 2856}},
                                         {{2048, 8192}, {1204, 4844}},
                                         {{8192, 2048}, {4844, 1204}},
                                         {{27, 5399}, {28, 5600}}}) {
    const Result<ImageSize> size = resized_size(c.from, PreprocessorConfig{});
    ASSERT_TRUE(size.ok()) << size.status().message();
    EXPECT_EQ(size->width, c.to.width) << c.from.width << " x " << c.from.height;
    EXPECT_EQ(size->height, c.to.height) << c.from.width << " x " << c.from.height;
  }
}

TEST(ResizedSize, RefusesStripsAndNothing) {
  const PreprocessorConfig config;
  EXPECT_THAT(resized_size({.width = 28, .height = 28 * 201}, config).status().message(),
              HasSubstr("limit is 200"));
  EXPECT_EQ(resized_size({.width = 0, .height = 5}, config).status().code(), StatusCode::kRefused);
  EXPECT_EQ(resized_size({.width = 5, .height = -1}, config).status().code(), StatusCode::kRefused);
}

TEST(NumImageTokens, CountsGroupsOfPatches) {
  EXPECT_EQ(num_image_tokens({.width = 595, .height = 842}, PreprocessorConfig{}).value(), 21 * 30);
}

TEST(ResizeBicubic, KeepsFlatAreasAndItsOwnSize) {
  const Image flat = resize_bicubic(grey(50, 70, 255), {.width = 84, .height = 28});
  EXPECT_EQ(flat.pixels, std::vector<uint8_t>(84 * 28, 255));
  Image image = grey(28, 28, 0);
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * 37);
  EXPECT_EQ(resize_bicubic(image, {.width = 28, .height = 28}).pixels, image.pixels);
}

// Overshoot beside an edge is clamped, not wrapped.
TEST(ResizeBicubic, ClampsAtTheEnds) {
  Image image = grey(40, 1, 0);
  for (size_t i = 20; i < 40; ++i) image.pixels[i] = 255;
  const Image wide = resize_bicubic(image, {.width = 97, .height = 1});
  for (size_t i = 0; i < 40; ++i) EXPECT_LT(wide.pixels[i], 30) << i;
  for (size_t i = 56; i < 97; ++i) EXPECT_GT(wide.pixels[i], 225) << i;
}

// Digests by tools/model_oracle/resize_digests.py: widths that are no multiple of what is made at once, colour, larger and smaller.
TEST(ResizeBicubic, IsTorchsBitForBit) {
  struct Case {
    ImageSize from;
    int channels;
    ImageSize to;
    uint64_t digest;
  };
  for (const Case& c : std::vector<Case>{{{595, 842}, 1, {588, 840}, 0xa7311726521164f5},
                                         {{794, 1123}, 1, {784, 1120}, 0x9765d9e1b954960f},
                                         {{17, 9}, 1, {28, 28}, 0xa309b1c0919d778b},
                                         {{15, 40}, 3, {84, 56}, 0x3d6882ec1deb7840},
                                         {{33, 47}, 3, {112, 28}, 0x006bac97a552455d},
                                         {{1, 1}, 1, {84, 84}, 0xc3246d55270fcd83},
                                         {{40, 1}, 1, {97, 1}, 0x26e35700027d7b78}}) {
    Image image{.width = static_cast<int>(c.from.width), .height = static_cast<int>(c.from.height), .channels = c.channels, .pixels = {}};
    image.pixels.resize(static_cast<size_t>(c.from.width * c.from.height * c.channels));
    uint32_t state = 1;
    for (uint8_t& pixel : image.pixels) pixel = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
    uint64_t digest = 1469598103934665603u;  // FNV-1a
    for (const uint8_t byte : resize_bicubic(image, c.to).pixels) digest = (digest ^ byte) * 1099511628211u;
    EXPECT_EQ(digest, c.digest) << c.from.width << " x " << c.from.height;
  }
}

TEST(ResizeBicubic, ChannelsDoNotMix) {
  Image colour{.width = 30, .height = 30, .channels = 3, .pixels = std::vector<uint8_t>(30 * 30 * 3, 0)};
  Image single = grey(30, 30, 0);
  for (size_t i = 0; i < single.pixels.size(); ++i)
    colour.pixels[3 * i + 1] = single.pixels[i] = static_cast<uint8_t>(i * 91);
  const Image resized = resize_bicubic(colour, {.width = 56, .height = 84}),
              expected = resize_bicubic(single, {.width = 56, .height = 84});
  for (size_t i = 0; i < expected.pixels.size(); ++i) {
    ASSERT_EQ(resized.pixels[3 * i], 0);
    ASSERT_EQ(resized.pixels[3 * i + 1], expected.pixels[i]);
  }
}

TEST(Patches, GroupsOfTwoByTwoStayTogether) {
  const std::vector<ops::PatchPosition> positions = patch_positions({.height = 4, .width = 6}, 2);
  ASSERT_EQ(positions.size(), 24u);
  std::set<std::pair<int, int>> seen;
  for (const ops::PatchPosition& p : positions) seen.insert({p.row, p.column});
  EXPECT_EQ(seen.size(), 24u);
  EXPECT_EQ(positions[1].column, 1);
  EXPECT_EQ(positions[2].row, 1);
  EXPECT_EQ(positions[4].column, 2);
  EXPECT_EQ(positions[12].row, 2);
}

TEST(Patches, CutThePixelsOfTheirPlace) {
  Image image = grey(140, 112, 0);
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i / 140 + i % 140);
  const Patches patches = make_patches(image, PreprocessorConfig{}).value();
  ASSERT_EQ(patches.grid, (ops::PatchGrid{8, 10}));
  const std::vector<ops::PatchPosition> positions = patch_positions(patches.grid, 2);
  for (size_t i = 0; i < positions.size(); ++i) {
    const int y = positions[i].row * 14 + 3, x = positions[i].column * 14 + 5;
    EXPECT_EQ(patches.pixels[i * 196 + 3 * 14 + 5], static_cast<uint8_t>(y + x)) << i;
  }
}

TEST(Patches, RefuseWhatIsNoPage) {
  const PreprocessorConfig config;
  EXPECT_THAT(make_patches(Image{}, config).status().message(), HasSubstr("empty"));
  Image two = grey(50, 50, 0);
  two.channels = 2;
  EXPECT_THAT(make_patches(two, config).status().message(), HasSubstr("2 channels"));
  Image short_of_pixels = grey(50, 50, 0);
  short_of_pixels.pixels.pop_back();
  EXPECT_THAT(make_patches(short_of_pixels, config).status().message(), HasSubstr("as many pixels"));
}

// A grey page and the same page in three equal channels are one page to the model.
TEST(PixelValues, OfGreyAndColourAgree) {
  Image image = grey(112, 112, 0);
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * 53);
  Image colour{.width = 112, .height = 112, .channels = 3, .pixels = {}};
  for (const uint8_t value : image.pixels) colour.pixels.insert(colour.pixels.end(), 3, value);
  const PreprocessorConfig config;
  EXPECT_EQ(pixel_values(make_patches(image, config).value(), config),
            pixel_values(make_patches(colour, config).value(), config));
}

}  // namespace
}  // namespace glyph
