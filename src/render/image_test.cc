#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/text_file.h"
#include "render/blend.h"
#include "render/image_decode.h"
#include "render/png.h"

namespace glyph {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string picture(const std::string& name) {
  Result<std::string> bytes = read_file(std::string(GLYPH_SOURCE_DIR "/tests/render/pictures/") + name, 1 << 20);
  EXPECT_TRUE(bytes.ok()) << bytes.status().message();
  return bytes.ok() ? *bytes : "";
}

Result<Image> decode(const std::string& bytes, const std::string& name = "picture", const ImageLimits& limits = {}) {
  return decode_image({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, name, limits);
}

Image decoded(const std::string& name) {
  Result<Image> image = decode(picture(name), name);
  EXPECT_TRUE(image.ok()) << image.status().message();
  return image.ok() ? *image : Image();
}

Image noise(int width, int height, int channels) {
  std::mt19937 random(3);
  Image image;
  image.width = width;
  image.height = height;
  image.channels = channels;
  image.pixels.resize(static_cast<size_t>(width) * height * channels);
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(random());
  return image;
}

TEST(Png, RoundTripsGreyAndColor) {
  for (int channels : {1, 3}) {
    for (int level : {0, 1, 9}) {
      const Image image = noise(37, 11, channels);
      const Result<std::string> png = encode_png(image, level);
      ASSERT_TRUE(png.ok());
      const Result<Image> back = decode(*png);
      ASSERT_TRUE(back.ok()) << back.status().message();
      EXPECT_EQ(back->width, 37);
      EXPECT_EQ(back->height, 11);
      EXPECT_EQ(back->channels, channels);
      EXPECT_EQ(back->pixels, image.pixels);
    }
  }
}

TEST(ImageDecode, ReducesEveryPngToGreyOrRgb) {
  const Image alpha = decoded("alpha.png");  // red; black at half, over white
  EXPECT_EQ(alpha.channels, 3);
  EXPECT_THAT(alpha.pixels, ElementsAre(255, 0, 0, 127, 127, 127));
  const Image deep = decoded("deep.png");
  EXPECT_EQ(deep.channels, 1);
  EXPECT_THAT(deep.pixels, ElementsAre(0, 255));
  EXPECT_THAT(decoded("palette.png").pixels, ElementsAre(10, 20, 30, 200, 210, 220));
}

TEST(ImageDecode, ReadsJpegOfEveryColorSpace) {
  const Image grey = decoded("grey.jpg");
  EXPECT_EQ(grey.channels, 1);
  EXPECT_EQ(grey.pixels, std::vector<uint8_t>(64, 77));
  const Image color = decoded("color.jpg");
  EXPECT_EQ(color.channels, 3);
  EXPECT_NEAR(color.pixels[0], 200, 3);
  EXPECT_NEAR(color.pixels[1], 30, 3);
  const Image cmyk = decoded("cmyk.jpg");  // no ink: white
  EXPECT_EQ(cmyk.pixels, std::vector<uint8_t>(8 * 8 * 3, 255));
}

TEST(ImageDecode, ReadsWebp) {
  EXPECT_THAT(decoded("alpha.webp").pixels, ElementsAre(0, 0, 255, 0, 0, 255, 0, 0, 255, 255, 255, 255));
  EXPECT_NEAR(decoded("color.webp").pixels[0], 200, 6);
}

TEST(ImageDecode, RefusesWhatIsNoPicture) {
  for (const std::string& bytes : {std::string(), std::string("GIF89a"), std::string("\x89PNG"), std::string("RIFF....WEBP")}) {
    const Result<Image> image = decode(bytes, "scan.bin");
    ASSERT_FALSE(image.ok());
    EXPECT_EQ(image.status().code(), StatusCode::kRefused);
    EXPECT_THAT(image.status().message(), HasSubstr("scan.bin: "));
  }
}

TEST(ImageDecode, RefusesEveryTruncation) {
  for (const char* name : {"alpha.png", "palette.png", "grey.jpg", "color.jpg", "alpha.webp", "color.webp"}) {
    const std::string whole = picture(name);
    for (size_t size = 0; size + 16 < whole.size(); ++size) {
      EXPECT_FALSE(decode(whole.substr(0, size), name).ok()) << name << " cut to " << size;
    }
  }
}

TEST(ImageDecode, SurvivesEveryFlippedByte) {
  for (const char* name : {"alpha.png", "deep.png", "color.jpg", "alpha.webp", "color.webp"}) {
    const std::string whole = picture(name);
    for (size_t i = 0; i < whole.size(); ++i) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ 0xFF);
      const Result<Image> image = decode(damaged, name);
      if (!image.ok()) continue;
      EXPECT_EQ(image->pixels.size(), static_cast<size_t>(image->width) * image->height * image->channels);
    }
  }
}

TEST(ImageDecode, NamesLimitAndSizeBeforeAllocating) {
  // A PNG header that announces 60,000 x 60,000 pixels: 3.6 GB if anyone believed it.
  std::string png = *encode_png(noise(1, 1, 1), 1);
  for (size_t at : {16u, 20u}) png.replace(at, 4, std::string("\0\0\xEA\x60", 4));
  png.replace(29, 4, "\xD4\x21\x5A\x1B");  // the header's CRC, checked or not
  const Result<Image> huge = decode(png, "bomb.png");
  ASSERT_FALSE(huge.ok());
  ImageLimits limits;
  limits.max_side = 30;
  const Result<Image> wide = decode(*encode_png(noise(37, 11, 1), 1), "wide.png", limits);
  ASSERT_FALSE(wide.ok());
  EXPECT_EQ(wide.status().message(), "wide.png: a picture of 37x11 pixels is above the limit of 30 pixels a side");
  limits = {};
  limits.max_pixels = 100;
  EXPECT_EQ(decode(*encode_png(noise(37, 11, 3), 1), "big.png", limits).status().message(),
            "big.png: a picture of 37x11 pixels is above the limit of 100 pixels");
  for (const char* name : {"color.jpg", "color.webp"}) {
    limits = {};
    limits.max_side = 10;
    EXPECT_THAT(decode(picture(name), name, limits).status().message(), HasSubstr("16x9 pixels is above the limit of 10"));
  }
}

TEST(Blend, EveryVersionEqualsTheSpecification) {
  std::mt19937 random(5);
  for (int stride : {8, 16, 24, 32, 40}) {
    for (int rows : {1, 2, 3, 7}) {
      std::vector<uint8_t> keep(static_cast<size_t>(stride) * rows), page(static_cast<size_t>(rows) * 64 + 64);
      for (uint8_t& value : keep) value = random() % 3 ? static_cast<uint8_t>(random()) : 255;
      for (uint8_t& value : page) value = static_cast<uint8_t>(random());
      std::vector<uint8_t> expected = page;
      blend_black_plain(expected.data(), 64, keep.data(), rows, stride);
      pick_blend_black()(page.data(), 64, keep.data(), rows, stride);
      EXPECT_EQ(page, expected) << stride << "x" << rows;
    }
  }
}

TEST(Blend, RoundsDownLikeSplash) {
  for (int below = 0; below < 256; ++below) {
    for (int keep = 0; keep < 256; ++keep) {
      uint8_t pixels[8], factors[8];
      std::fill_n(pixels, 8, static_cast<uint8_t>(below));
      std::fill_n(factors, 8, static_cast<uint8_t>(keep));
      pick_blend_black()(pixels, 8, factors, 1, 8);
      ASSERT_EQ(pixels[3], below * keep / 255) << below << " " << keep;
    }
  }
}

}  // namespace
}  // namespace glyph
