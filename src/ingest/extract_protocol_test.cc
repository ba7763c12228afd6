#include "ingest/extract_protocol.h"

#include <gtest/gtest.h>

namespace glyph {
namespace {

std::span<const uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

Status feed(FrameParser& parser, std::string_view bytes) { return parser.feed(as_bytes(bytes)); }

std::string sample() {
  const Image image{.width = 3, .height = 2, .channels = 1, .pixels = {1, 2, 3, 4, 5, 6}};
  return encode_pages(2, 2) + encode_frame(FrameType::kText, "Page \xE4\xB8") + encode_frame(FrameType::kText, "\x80.\n") +
         encode_frame(FrameType::kPageEnd, "") + encode_image(image) + encode_frame(FrameType::kPageEnd, "") +
         encode_frame(FrameType::kWarning, "page 2 is a picture") + encode_frame(FrameType::kDone, "");
}

void expect_sample(const ExtractOutput& output) {
  EXPECT_TRUE(output.complete);
  EXPECT_TRUE(output.error.ok());
  EXPECT_EQ(output.num_pages, 2u);
  EXPECT_EQ(output.pages_read, 2u);
  ASSERT_EQ(output.blocks.size(), 2u);
  EXPECT_EQ(output.blocks[0].text, "Page 一.\n");
  EXPECT_EQ(output.blocks[1].image.pixels, (std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(output.warnings, std::vector<std::string>{"page 2 is a picture"});
}

TEST(FrameParser, ReadsWhatWasEncoded) {
  FrameParser parser{IngestLimits{}};
  ASSERT_TRUE(feed(parser, sample()).ok());
  expect_sample(parser.output());
}

TEST(FrameParser, PiecesOfAnySizeGiveTheSame) {
  for (size_t piece = 1; piece < 12; ++piece) {
    FrameParser parser{IngestLimits{}};
    const std::string bytes = sample();
    for (size_t i = 0; i < bytes.size(); i += piece) ASSERT_TRUE(feed(parser, std::string_view(bytes).substr(i, piece)).ok());
    expect_sample(parser.output());
  }
}

TEST(FrameParser, ErrorKeepsCodeAndSentence) {
  FrameParser parser{IngestLimits{}};
  ASSERT_TRUE(feed(parser, encode_error(refused("the PDF is encrypted"))).ok());
  EXPECT_EQ(parser.output().error.code(), StatusCode::kRefused);
  EXPECT_EQ(parser.output().error.message(), "the PDF is encrypted");
  EXPECT_FALSE(feed(parser, encode_frame(FrameType::kDone, "")).ok()) << "a frame after the last one";
}

TEST(FrameParser, RefusesWhatIsNoFrame) {
  const std::string huge_length("T\xFF\xFF\xFF\xFF", 5);
  const std::string small_image = encode_frame(FrameType::kImage, std::string(9, '\0'));
  std::string wrong_size = encode_image({.width = 2, .height = 2, .channels = 1, .pixels = {1, 2, 3, 4}});
  wrong_size[5] = 3;  // width
  const std::string no_code = encode_frame(FrameType::kError, std::string("\0x", 2));
  for (const std::string& bytes : {std::string("?abcd"), huge_length, small_image, wrong_size, no_code,
                                   encode_frame(FrameType::kPages, "abc"), encode_frame(FrameType::kDone, "x")}) {
    FrameParser parser{IngestLimits{}};
    EXPECT_EQ(feed(parser, bytes).code(), StatusCode::kInternal) << testing::PrintToString(bytes);
  }
}

TEST(FrameParser, LimitsOfTextAndPictures) {
  IngestLimits limits;
  limits.inflated_bytes = 10;
  limits.image_bytes = 5;
  FrameParser parser(limits);
  ASSERT_TRUE(feed(parser, encode_frame(FrameType::kText, "0123456789")).ok());
  EXPECT_EQ(feed(parser, encode_frame(FrameType::kText, "x")).code(), StatusCode::kRefused);
  FrameParser pictures(limits);
  const Image image{.width = 3, .height = 1, .channels = 1, .pixels = {1, 2, 3}};
  ASSERT_TRUE(feed(pictures, encode_image(image)).ok());
  EXPECT_EQ(feed(pictures, encode_image(image)).code(), StatusCode::kRefused);
}

TEST(FrameParser, AnUnfinishedStreamIsNotComplete) {
  FrameParser parser{IngestLimits{}};
  const std::string bytes = sample();
  ASSERT_TRUE(feed(parser, std::string_view(bytes).substr(0, bytes.size() - 1)).ok());
  EXPECT_FALSE(parser.output().complete);
}

TEST(ExtractRequest, ArgumentsRoundTrip) {
  ExtractRequest request;
  request.format = "pdf";
  request.part = 1;
  request.num_parts = 3;
  request.parent = 4711;
  request.limits.helper_seconds = 2.5;
  request.limits.pages = 12;
  const auto arguments = request.to_arguments();
  const auto back = ExtractRequest::from_arguments(arguments);
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->part, 1);
  EXPECT_EQ(back->num_parts, 3);
  EXPECT_EQ(back->parent, 4711);
  EXPECT_EQ(back->limits.helper_seconds, 2.5);
  EXPECT_EQ(back->limits.pages, 12u);
  EXPECT_EQ(back->to_arguments(), arguments);
}

TEST(ExtractRequest, UnknownArgumentsAreUsageErrors) {
  using Arguments = std::vector<std::string>;
  for (const Arguments& arguments : {Arguments{}, Arguments{"exe"}, Arguments{"pdf", "colour=1"}, Arguments{"pdf", "pages"},
                                     Arguments{"pdf", "pages=-1"}, Arguments{"pdf", "pages=1x"}, Arguments{"pdf", "num-parts=0"},
                                     Arguments{"pdf", "part=2", "num-parts=2"}}) {
    EXPECT_EQ(ExtractRequest::from_arguments(arguments).status().code(), StatusCode::kUsage);
  }
}

}  // namespace
}  // namespace glyph
