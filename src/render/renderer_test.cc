#include "render/renderer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/text_file.h"
#include "base/utf8.h"
#include "render/image_decode.h"

namespace glyph {
namespace {

using ::testing::HasSubstr;
namespace json = boost::json;

Document document_of(std::string text) {
  Document document;
  document.name = "test.txt";
  document.blocks.emplace_back().text = std::move(text);
  return document;
}

PageStyle small_page() {
  PageStyle style = PageStyle::english();
  style.page_width = 220;
  style.page_height = 120;
  return style;
}

std::unique_ptr<Renderer> open(const PageStyle& style) {
  Result<std::unique_ptr<Renderer>> renderer = Renderer::open(style);
  EXPECT_TRUE(renderer.ok()) << renderer.status().message();
  return renderer.ok() ? *std::move(renderer) : nullptr;
}

std::vector<Page> draw(Renderer& renderer, const Document& document, const RenderOptions& options = {}) {
  std::vector<Page> pages;
  const Status status = renderer.render(
      document,
      [&](Page&& page) {
        pages.push_back(std::move(page));
        return true;
      },
      options);
  EXPECT_TRUE(status.ok()) << status.message();
  return pages;
}

std::vector<Page> draw(const PageStyle& style, const std::string& text) {
  const Document document = document_of(text);
  const std::unique_ptr<Renderer> renderer = open(style.with_font_for(document));
  return renderer ? draw(*renderer, document) : std::vector<Page>();
}

std::string rgb_of(const Image& image) {
  if (image.channels == 3) return {image.pixels.begin(), image.pixels.end()};
  std::string rgb;
  rgb.reserve(image.pixels.size() * 3);
  for (uint8_t value : image.pixels) rgb.append(3, static_cast<char>(value));
  return rgb;
}

std::string read_golden(const std::string& name) {
  const Result<std::string> text = read_file(std::string(GLYPH_SOURCE_DIR "/tests/render/") + name, 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status().message();
  return text.ok() ? *text : "";
}

size_t count_code_points(std::string_view text) {
  size_t count = 0;
  for (size_t i = 0; i < text.size(); i += decode_utf8(text, i).length) ++count;
  return count;
}

// Pages made by ReportLab, pdftoppm and the published crops: see tools/render_oracle/make_goldens.py.
TEST(Renderer, DrawsThePixelsOfTheReferencePipeline) {
  const json::value goldens = json::parse(read_golden("goldens.json"));
  ASSERT_GE(goldens.as_array().size(), 20u);
  for (const json::value& golden : goldens.as_array()) {
    const std::string name(golden.at("name").as_string());
    SCOPED_TRACE(name);
    const Result<PageStyle> style = PageStyle::parse(json::serialize(golden.at("style")), name);
    ASSERT_TRUE(style.ok()) << style.status().message();
    const std::vector<Page> pages = draw(*style, std::string(golden.at("text").as_string()));
    const json::array& expected = golden.at("pages").as_array();
    ASSERT_EQ(pages.size(), expected.size());
    for (size_t i = 0; i < pages.size(); ++i) {
      EXPECT_EQ(pages[i].image.width, expected[i].at("width").as_int64()) << "page " << i + 1;
      EXPECT_EQ(pages[i].image.height, expected[i].at("height").as_int64()) << "page " << i + 1;
      EXPECT_EQ(hex(sha256(rgb_of(pages[i].image))), expected[i].at("rgb_sha256").as_string()) << "page " << i + 1;
    }
    if (!golden.at("picture").as_bool()) continue;
    const std::string png = read_golden(name + ".png");
    const Result<Image> image = decode_image({reinterpret_cast<const uint8_t*>(png.data()), png.size()}, name);
    ASSERT_TRUE(image.ok()) << image.status().message();
    EXPECT_EQ(rgb_of(*image) == rgb_of(pages[0].image), true) << "page 1 differs from " << name << ".png";
  }
}

TEST(Renderer, StreamsPagesAndStopsWhenTold) {
  const std::unique_ptr<Renderer> renderer = open(small_page());
  for (int threads : {1, 3}) {
    RenderOptions options;
    options.num_threads = threads;
    int calls = 0;
    const Status status = renderer->render(
        document_of(std::string(100'000, 'x')), [&](Page&&) { return ++calls < 2; }, options);
    EXPECT_EQ(status.code(), StatusCode::kCancelled);
    EXPECT_EQ(calls, 2);
  }
}

TEST(Renderer, SeveralThreadsDrawTheSamePages) {
  std::string text;
  for (int i = 0; i < 900; ++i) text += "line " + std::to_string(i * 7919) + (i % 11 ? "\n" : " & more  words\n");
  const std::unique_ptr<Renderer> renderer = open(small_page());
  const std::vector<Page> one = draw(*renderer, document_of(text));
  ASSERT_GT(one.size(), 50u);
  for (int threads : {2, 5}) {
    RenderOptions options;
    options.num_threads = threads;
    const std::vector<Page> many = draw(*renderer, document_of(text), options);
    ASSERT_EQ(many.size(), one.size());
    for (size_t i = 0; i < one.size(); ++i) EXPECT_EQ(many[i].image.pixels, one[i].image.pixels) << "page " << i + 1;
  }
}

TEST(Renderer, LineBoxesPointIntoTheText) {
  for (const std::string& text :
       {std::string("Caf\u00e9 \u00ad& two  spaces\tend, long enough to be broken over several lines of a small page\n\nlast"),
        std::string("床前明月光，疑是地上霜。abc 举头望明月，低头思故乡。\n  二三")}) {
    Document document;
    document.name = "boxes";
    document.blocks.emplace_back().text = "first block";
    document.blocks.emplace_back().text = text;
    const std::unique_ptr<Renderer> renderer = open(small_page().with_font_for(document));
    const std::string all = document.text();
    size_t last_end = 0;
    for (const Page& page : draw(*renderer, document)) {
      for (const PageLine& line : page.lines) {
        ASSERT_LT(line.text_begin, line.text_end);
        ASSERT_LE(line.text_end, all.size());
        EXPECT_GE(line.text_begin, last_end);
        last_end = line.text_end;
        const std::string_view shown = std::string_view(all).substr(line.text_begin, line.text_end - line.text_begin);
        EXPECT_TRUE(is_valid_utf8(shown));
        EXPECT_EQ(line.char_x.size(), count_code_points(shown) + 1);
        EXPECT_TRUE(std::is_sorted(line.char_x.begin(), line.char_x.end()));
        EXPECT_FLOAT_EQ(line.x, line.char_x.front());
        EXPECT_FLOAT_EQ(line.bottom - line.top, 10);
      }
    }
    EXPECT_EQ(last_end, all.size());
  }
}

TEST(Renderer, LineBoxesStandWhereTheInkIs) {
  const std::vector<Page> pages = draw(PageStyle::english(), "l");
  ASSERT_EQ(pages[0].lines.size(), 1u);
  const PageLine& line = pages[0].lines[0];
  EXPECT_FLOAT_EQ(line.x, 16);
  EXPECT_FLOAT_EQ(line.top, 16);
  const Image& image = pages[0].image;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      if (image.pixels[static_cast<size_t>(y) * image.width + x] == 255) continue;
      EXPECT_GE(x, static_cast<int>(line.char_x[0]));
      EXPECT_LE(x, static_cast<int>(line.char_x[1]));
      EXPECT_GE(y, static_cast<int>(line.top));
      EXPECT_LT(y, static_cast<int>(line.bottom));
    }
  }
}

TEST(Renderer, PicturesArePagesOfTheirOwn) {
  Document document = document_of("before");
  Block picture;
  picture.kind = Block::Kind::kImage;
  picture.image = {3, 2, 3, std::vector<uint8_t>(18, 9)};
  document.blocks.push_back(picture);
  document.blocks.emplace_back().text = "after";
  const std::unique_ptr<Renderer> renderer = open(PageStyle::english());
  for (int threads : {1, 2}) {
    RenderOptions options;
    options.num_threads = threads;
    const std::vector<Page> pages = draw(*renderer, document, options);
    ASSERT_EQ(pages.size(), 3u);
    EXPECT_EQ(pages[1].image.pixels, picture.image.pixels);
    EXPECT_TRUE(pages[1].lines.empty());
    ASSERT_EQ(pages[2].lines.size(), 1u);
    EXPECT_EQ(document.text().substr(pages[2].lines[0].text_begin), "after");
  }
}

TEST(Renderer, PagesAreGreyUnlessAColorIsUsed) {
  PageStyle style = small_page();
  EXPECT_EQ(draw(style, "x")[0].image.channels, 1);
  style.newline_markup = "<font color=\"#FF0000\"> \\n </font>";
  EXPECT_EQ(draw(style, "x")[0].image.channels, 3);
}

TEST(Renderer, NamesCharactersWithoutAGlyph) {
  const std::unique_ptr<Renderer> renderer = open(PageStyle::english());
  draw(*renderer, document_of("rocket \U0001F680, lotus \U0001FAB7 and \U0001F680 again"));
  ASSERT_EQ(renderer->warnings().size(), 1u);
  EXPECT_EQ(renderer->warnings()[0],
            "DejaVu Sans Book has no glyph for \U0001F680 (U+1F680), \U0001FAB7 (U+1FAB7): drawn as a box");
  draw(*renderer, document_of("all there"));
  EXPECT_TRUE(renderer->warnings().empty());
  draw(*renderer, document_of("\U0001F680"));
  EXPECT_EQ(renderer->warnings().size(), 1u);
}

TEST(Renderer, AMissingFontNamesThePackage) {
  PageStyle style = PageStyle::english();
  style.font_path = "/nowhere/Font.ttf";
  Result<std::unique_ptr<Renderer>> renderer = Renderer::open(style);
  ASSERT_FALSE(renderer.ok());
  EXPECT_EQ(renderer.status().code(), StatusCode::kNotFound);
  EXPECT_EQ(renderer.status().message(), "/nowhere/Font.ttf: cannot open the font");
  style.font_path = std::string(PageStyle::chinese().font_path) + " Nonesuch";
  EXPECT_THAT(Renderer::open(style).status().message(), HasSubstr("has no face \"Noto Sans Mono CJK SC Nonesuch\""));
  style.font_path = GLYPH_SOURCE_DIR "/styles/english.json";
  EXPECT_THAT(Renderer::open(style).status().message(), HasSubstr("FreeType cannot read this font"));
}

TEST(Renderer, StyleKeysTellStylesAndFontsApart) {
  const std::string key = open(PageStyle::english())->style_key();
  EXPECT_EQ(open(PageStyle::english())->style_key(), key);
  EXPECT_NE(open(PageStyle::chinese())->style_key(), key);
  PageStyle style = PageStyle::english();
  style.dpi = 96;
  EXPECT_NE(open(style)->style_key(), key);
  EXPECT_EQ(key.find("/usr"), std::string::npos);  // the font's content, not its path
}

TEST(Renderer, ThePageLimitNamesBothNumbers) {
  const std::unique_ptr<Renderer> renderer = open(small_page());
  int pages = 0;
  RenderOptions options;
  options.max_pages = 3;
  const Status status = renderer->render(
      document_of(std::string(1000, '\n') + "x"), [&](Page&&) { return ++pages > 0; }, options);
  EXPECT_EQ(status.code(), StatusCode::kRefused);
  EXPECT_EQ(status.message(), "test.txt: page 4 is over the limit of 3 pages");
  EXPECT_EQ(pages, 3);
}

TEST(Renderer, APageWithoutRoomIsRefused) {
  PageStyle style = small_page();
  style.line_height = style.font_size = 95;
  const Result<std::unique_ptr<Renderer>> renderer = Renderer::open(style);
  ASSERT_TRUE(renderer.ok());
  const Status status = (*renderer)->render(document_of("many words here"), [](Page&&) { return true; });
  EXPECT_EQ(status.code(), StatusCode::kRefused);
  EXPECT_THAT(status.message(), HasSubstr("no room for two lines of 95 points"));
  style.page_width = 0;
  EXPECT_THAT(Renderer::open(style).status().message(), HasSubstr("page-size: 0 is below the limit of 1"));
}

TEST(Renderer, EmptyTextIsOneBlankPage) {
  EXPECT_EQ(draw(PageStyle::english(), "").size(), 1u);
  Document nothing;
  EXPECT_EQ(draw(*open(PageStyle::english()), nothing).size(), 1u);
}

struct Pathology {
  const char* name;
  std::string text;
};

TEST(Renderer, SurvivesPathologicalTexts) {
  std::string marks, missing, mixed;
  for (int i = 0; i < 20'000; ++i) marks += "\u0301";
  for (int i = 0; i < 5'000; ++i) missing += "\U00020000\uE000";
  for (int i = 0; i < 3'000; ++i) mixed += "\u00a0 & \u00ad<\t>";
  const Pathology cases[] = {
      {"ten megabytes without a space", std::string(10 << 20, 'a')},
      {"the same after an entity", "&" + std::string(10 << 20, 'a')},
      {"a megabyte of spaces", std::string(1 << 20, ' ')},
      {"a megabyte of ampersands", std::string(1 << 20, '&')},
      {"lone combining marks", marks},
      {"nothing but missing glyphs", missing},
      {"every kind of space", mixed},
      {"a CJK line of a megabyte", "\u4E00" + std::string(1 << 20, '.')},
      {"control characters", "\x01\x02\x7F\x1B[31m"},
  };
  for (const Pathology& pathology : cases) {
    SCOPED_TRACE(pathology.name);
    const Document document = document_of(pathology.text);
    const std::unique_ptr<Renderer> renderer = open(PageStyle::for_document(document));
    size_t pages = 0;
    const Status status = renderer->render(document, [&](Page&& page) {
      ++pages;
      EXPECT_LE(page.image.width, 595);
      return true;
    });
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_GE(pages, 1u);
  }
}

TEST(Renderer, AMillionNewlinesAreOverThePageLimit) {
  const std::unique_ptr<Renderer> renderer = open(PageStyle::english());
  size_t pages = 0;
  const Status status = renderer->render(document_of(std::string(1'000'000, '\n')), [&](Page&&) { return ++pages > 0; });
  EXPECT_EQ(status.message(), "test.txt: page 10001 is over the limit of 10000 pages");
  EXPECT_EQ(pages, kMaxPages);
}

TEST(Renderer, HugeFontsAndTinyPages) {
  PageStyle style = small_page();
  style.font_size = 800;
  style.line_height = 40;
  EXPECT_FALSE(draw(style, "Ag").empty());
  style = small_page();
  style.page_width = 40;
  style.font_size = 30;
  EXPECT_FALSE(draw(style, "wide words").empty());
  style = small_page();
  style.left_indent = 400;
  EXPECT_FALSE(draw(style, "pushed off the page & away\n中").empty());
  style = small_page();
  style.horizontal_scale = 0.05;
  EXPECT_EQ(draw(style, "thin")[0].image.width, 11);
}

}  // namespace
}  // namespace glyph
