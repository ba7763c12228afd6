#include "glyph/page_style.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text_file.h"
#include "render/newline_markup.h"
#include "render/pdf_number.h"

namespace glyph {
namespace {

using ::testing::HasSubstr;

PageStyle parsed(const std::string& json) {
  Result<PageStyle> style = PageStyle::parse(json, "test.json");
  EXPECT_TRUE(style.ok()) << style.status().message();
  return style.ok() ? *style : PageStyle();
}

std::string refusal(const std::string& json) {
  const Result<PageStyle> style = PageStyle::parse(json, "test.json");
  EXPECT_FALSE(style.ok()) << json;
  EXPECT_EQ(style.status().code(), StatusCode::kRefused);
  return style.status().message();
}

PageStyle style_file(const std::string& name) {
  const Result<std::string> text = read_file(std::string(GLYPH_SOURCE_DIR "/styles/") + name, 1 << 16);
  EXPECT_TRUE(text.ok()) << text.status().message();
  return text.ok() ? parsed(*text) : PageStyle();
}

TEST(PageStyle, AbsentKeysHaveThePublishedDefaults) {
  const PageStyle style = parsed("{}");
  EXPECT_EQ(style, PageStyle());
  EXPECT_EQ(style.alignment, Alignment::kJustify);
  EXPECT_EQ(style.margin_x, 20);
  EXPECT_EQ(style.margin_y, 20);
  EXPECT_EQ(style.font_size, 9);
  EXPECT_EQ(style.line_height, 0);  // font size + 1
  EXPECT_FALSE(style.auto_crop_width);
  EXPECT_EQ(style.newline_markup, "<br/>");
  EXPECT_NEAR(style.page_width, 595.2756, 1e-4);
}

TEST(PageStyle, OurFilesAreOurDefaults) {
  EXPECT_EQ(style_file("english.json"), PageStyle::english());
  EXPECT_EQ(style_file("chinese.json"), PageStyle::chinese());
}

TEST(PageStyle, ReadsEveryKey) {
  const PageStyle style = parsed(R"({"page-size": "400.5, 300", "dpi": 96, "margin-x": 1, "margin-y": 2, "font-path": "a.ttf",
    "font-size": 10.5, "line-height": 12, "font-color": "#010203", "alignment": "CENTER", "horizontal-scale": 0.95,
    "first-line-indent": -3, "left-indent": 4, "right-indent": 5, "space-before": 6, "space-after": 7, "border-width": 0.5,
    "border-padding": 1.5, "page-bg-color": "#aaBBcc", "para-bg-color": "#FFFFFF", "para-border-color": "#000000",
    "auto-crop-width": true, "auto-crop-last-page": true, "newline-markup": "<font color=\"#FF0000\"> \\n </font>"})");
  EXPECT_EQ(style.page_width, 400.5);
  EXPECT_EQ(style.page_height, 300);
  EXPECT_EQ(style.dpi, 96);
  EXPECT_EQ(style.font_size, 10.5);
  EXPECT_EQ(style.font_color, (Color{1, 2, 3}));
  EXPECT_EQ(style.page_bg_color, (Color{0xAA, 0xBB, 0xCC}));
  EXPECT_EQ(style.alignment, Alignment::kCenter);
  EXPECT_EQ(style.first_line_indent, -3);
  EXPECT_EQ(style.border_padding, 1.5);
  EXPECT_TRUE(style.auto_crop_last_page);
  EXPECT_EQ(parsed(style.canonical_json()), style);
}

TEST(PageStyle, RefusalsNameKeyValueAndLimit) {
  EXPECT_EQ(refusal(R"({"font-sise": 9})"), "test.json: font-sise: no such key in a page style");
  EXPECT_EQ(refusal(R"({"page-size": "-595,842"})"), "test.json: page-size: -595 is below the limit of 1");
  EXPECT_EQ(refusal(R"({"page-size": "0,0"})"), "test.json: page-size: 0 is below the limit of 1");
  EXPECT_EQ(refusal(R"({"margin-x": -1})"), "test.json: margin-x: -1 is below the limit of 0");
  EXPECT_EQ(refusal(R"({"dpi": 1e9})"), "test.json: dpi: 1000000000 is above the limit of 2400");
  EXPECT_EQ(refusal(R"({"font-size": 0})"), "test.json: font-size: 0 is below the limit of 0.5");
  EXPECT_THAT(refusal(R"({"page-size": "14400,14400"})"), HasSubstr("14400 pixels is above the limit of 8192"));
  EXPECT_THAT(refusal(R"({"page-size": "8000,8000"})"), HasSubstr("above the limit of 36000000"));
  EXPECT_THAT(refusal(R"({"font-size": 2000, "dpi": 300})"), HasSubstr("font-size: "));
  EXPECT_THAT(refusal(R"({"margin-x": 300})"), HasSubstr("margin-x: 300 leaves no room"));
  EXPECT_THAT(refusal(R"({"margin-y": 430})"), HasSubstr("margin-y: 430 leaves no room"));
  EXPECT_THAT(refusal(R"({"horizontal-scale": 0})"), HasSubstr("horizontal-scale: 0 is below"));
}

TEST(PageStyle, RefusesWrongTypes) {
  EXPECT_THAT(refusal(R"({"dpi": "72"})"), HasSubstr("dpi: not a number"));
  EXPECT_THAT(refusal(R"({"auto-crop-width": 1})"), HasSubstr("neither true nor false"));
  EXPECT_THAT(refusal(R"({"font-color": "#12345"})"), HasSubstr("\"#12345\" is not \"#RRGGBB\""));
  EXPECT_THAT(refusal(R"({"font-color": 7})"), HasSubstr("#RRGGBB"));
  EXPECT_THAT(refusal(R"({"alignment": "left"})"), HasSubstr("LEFT, CENTER, RIGHT, JUSTIFY"));
  EXPECT_THAT(refusal(R"({"page-size": "595"})"), HasSubstr("WIDTH,HEIGHT"));
  EXPECT_THAT(refusal(R"({"page-size": "nan,842"})"), HasSubstr("WIDTH,HEIGHT"));
  EXPECT_THAT(refusal(R"({"font-path": null})"), HasSubstr("not a string"));
  EXPECT_THAT(refusal("[]"), HasSubstr("JSON object"));
  EXPECT_THAT(refusal("{"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal(std::string(100'000, ' ') + "{}"), HasSubstr("the limit of a page style is 65536"));
  EXPECT_THAT(refusal(std::string(5000, '[')), HasSubstr("not JSON"));
  EXPECT_EQ(parsed(R"({"line-height": null})").line_height, 0);
}

TEST(PageStyle, ChoosesByScript) {
  Document document;
  document.blocks.emplace_back().text = "plain, caf\u00e9, \u3042\u3044";  // kana alone are not enough
  EXPECT_EQ(PageStyle::for_document(document), PageStyle::english());
  document.blocks.emplace_back().text = "\u4E00";
  EXPECT_EQ(PageStyle::for_document(document), PageStyle::chinese());
  document.blocks[1].text = "\u9FFF";
  EXPECT_EQ(PageStyle::for_document(document), PageStyle::chinese());
  document.blocks[1].text = "\u4DFF\uA000\u3400";
  EXPECT_EQ(PageStyle::for_document(document), PageStyle::english());
  EXPECT_EQ(PageStyle().with_font_for(document).font_path, PageStyle::english().font_path);
}

TEST(NewlineMarkup, KnowsTextBreaksAndColors) {
  const auto pieces = parse_newline_markup("a&amp;<font color='#0000FF'>b</font><br/>");
  ASSERT_TRUE(pieces.ok()) << pieces.status().message();
  using Kind = MarkupPiece::Kind;
  std::vector<Kind> kinds;
  for (const MarkupPiece& piece : *pieces) kinds.push_back(piece.kind);
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::kText, Kind::kEntity, Kind::kTag, Kind::kText, Kind::kTag, Kind::kBreak}));
  EXPECT_EQ((*pieces)[3].color, (Color{0, 0, 255}));
  EXPECT_FALSE((*pieces)[0].has_color);
}

TEST(NewlineMarkup, RefusesWhatTheReferenceWouldTakeAndWeDoNot) {
  for (const char* markup : {"<b>x</b>", "<font color=\"red\">x</font>", "<font color=\"#FF0000\">", "</font>", "<br", "&copy;",
                             "a & b", "\xC0"}) {
    EXPECT_FALSE(parse_newline_markup(markup).ok()) << markup;
  }
  EXPECT_THAT(refusal(R"({"newline-markup": "<b>"})"), HasSubstr("newline-markup: the tag <b> is none of"));
}

TEST(PdfNumber, PrintsLikeReportLabAndReadsLikePoppler) {
  EXPECT_EQ(print_pdf_number(0).exact, 0);
  EXPECT_EQ(print_pdf_number(9e-8).exact, 0);
  EXPECT_EQ(print_pdf_number(-0.5).exact, -0.5);
  EXPECT_EQ(print_pdf_number(1.23456789).exact, 1.234568);
  EXPECT_EQ(print_pdf_number(317.87109375).exact, 317.8711);
  EXPECT_EQ(print_pdf_number(1234567.8).exact, 1234568);
  EXPECT_EQ(print_pdf_number(999.9999999).exact, 1000);
  // 0.3 read digit by digit: 3 * 0.1, which is not the double nearest to 0.3.
  EXPECT_EQ(print_pdf_number(0.3).device, 3 * 0.1);
  EXPECT_NE(print_pdf_number(0.3).device, 0.3);
}

}  // namespace
}  // namespace glyph
