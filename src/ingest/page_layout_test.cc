#include "ingest/page_layout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <sstream>

#include "base/utf8.h"

namespace glyph {
namespace {

constexpr float kSize = 10;     // height of every word, points
constexpr float kAdvance = 5;   // width of every character

// Draws pages from lines of words, the way poppler lists them.
class Page {
 public:
  // A line of words with single spaces between them, from (x, y) on.
  Page& line(float x, float y, const std::string& text, int rotation = 0) {
    std::istringstream stream(text);
    std::string word;
    while (stream >> word) {
      const float width = kAdvance * static_cast<float>(word.size());
      words_.push_back({x, y, x + width, y + kSize, word, rotation, true});
      x += width + kAdvance;
    }
    words_.back().space_after = false;
    return *this;
  }
  // Several lines of a paragraph.
  Page& lines(float x, float y, std::initializer_list<std::string> texts) {
    for (const std::string& text : texts) {
      line(x, y, text);
      y += 1.2f * kSize;
    }
    return *this;
  }
  std::string text() const { return layout_page(words_); }
  std::vector<PageWord>& words() { return words_; }

 private:
  std::vector<PageWord> words_;
};

TEST(PageLayout, EmptyPage) { EXPECT_EQ(layout_page({}), ""); }

TEST(PageLayout, LinesOfAParagraphAreJoined) {
  const auto text = Page().lines(50, 100, {"the first line is long enough to", "be wrapped at the right edge and", "ends here."}).text();
  EXPECT_EQ(text, "the first line is long enough to be wrapped at the right edge and ends here.\n");
}

TEST(PageLayout, AShortLineEndsItsParagraph) {
  const auto text = Page().lines(50, 100, {"the first line is long enough to", "end.", "Another one begins here and goes"}).text();
  EXPECT_EQ(text, "the first line is long enough to end.\nAnother one begins here and goes\n");
}

TEST(PageLayout, AnIndentBeginsAParagraph) {
  const auto text = Page().line(50, 100, "the first paragraph fills its line").line(65, 112, "The second one is indented").text();
  EXPECT_EQ(text, "the first paragraph fills its line\nThe second one is indented\n");
}

TEST(PageLayout, ListItemsStayApart) {
  const auto text = Page().lines(50, 100, {"1. an item that fills the whole line", "2. another item that fills the line", "• a third"}).text();
  EXPECT_EQ(text, "1. an item that fills the whole line\n2. another item that fills the line\n• a third\n");
}

TEST(PageLayout, DividedWordsBecomeWhole) {
  EXPECT_EQ(Page().lines(50, 100, {"a long line of text with a divi-", "ded word in it"}).text(), "a long line of text with a divided word in it\n");
  EXPECT_EQ(Page().lines(50, 100, {"options such as --allow-mismatched-", "names stay"}).text(), "options such as --allow-mismatched-names stay\n");
  EXPECT_EQ(Page().lines(50, 100, {"it was in the years of 1998-", "1999 that it began"}).text(), "it was in the years of 1998-1999 that it began\n");
}

TEST(PageLayout, LigaturesAreSpelledOut) { EXPECT_EQ(Page().line(50, 100, "o\uFB03ce \uFB01rst").text(), "office first\n"); }

Page two_columns() {
  Page page;
  // The right column comes first and begins higher: the order of blocks must not matter.
  page.lines(300, 98, {"right one has some words in it and", "right two has some words in it and", "right three has some words in it",
                       "right four has some words in it", "right five is the end."});
  page.lines(50, 100, {"left one has some words in it and", "left two has some words in it and", "left three has some words in it",
                       "left four has some words in it", "left five is the end."});
  return page;
}

TEST(PageLayout, ColumnsAreReadOneAfterTheOther) {
  const std::string text = two_columns().text();
  EXPECT_LT(text.find("left five"), text.find("right one")) << text;
  EXPECT_LT(text.find("left one"), text.find("left two")) << text;
}

TEST(PageLayout, ATitleAcrossComesFirstAndAFooterLast) {
  Page page = two_columns();
  page.line(100, 60, "a title that stands across both of the columns of this page");
  page.line(262, 400, "page 17");
  const std::string text = page.text();
  EXPECT_EQ(text.find("a title"), 0u) << text;
  EXPECT_LT(text.find("left five"), text.find("right one")) << text;
  EXPECT_LT(text.find("right five"), text.find("page 17")) << text;
}

TEST(PageLayout, RowsOfATableStayTogether) {
  Page page;
  for (int row = 0; row < 6; ++row) {
    const float y = 100 + 15 * static_cast<float>(row);
    page.line(50, y, "name" + std::to_string(row)).line(150, y, "city" + std::to_string(row)).line(250, y, std::to_string(100 * row));
  }
  EXPECT_EQ(page.text(), "name0 | city0 | 0\nname1 | city1 | 100\nname2 | city2 | 200\nname3 | city3 | 300\n"
                         "name4 | city4 | 400\nname5 | city5 | 500\n");
}

TEST(PageLayout, AStretchedLineIsProse) {
  Page page;
  page.line(50, 100, "a line of prose that has the width").line(50, 112, "stretched");
  page.line(50 + 34 * kAdvance - 4 * kAdvance, 112, "line").line(50, 124, "a line of prose that has the width");
  EXPECT_EQ(page.text(), "a line of prose that has the width stretched line a line of prose that has the width\n");
}

TEST(PageLayout, DotLeadersAreCutDown) {
  EXPECT_EQ(Page().line(50, 100, "Introduction . . . . . . . . . 12").text(), "Introduction ... 12\n");
}

TEST(PageLayout, RotatedWordsComeLast) {
  Page page;
  page.line(20, 50, "margin note", 1).line(50, 100, "body");
  EXPECT_EQ(page.text(), "body\n\nmargin note\n");
}

TEST(PageLayout, HanLinesJoinWithoutASpace) {
  std::vector<PageWord> words = {{50, 100, 250, 110, "第一行一共有二十个汉字才能够写满这一行字", 0, false},
                                 {50, 112, 100, 122, "第二行。", 0, false}};
  EXPECT_EQ(layout_page(words), "第一行一共有二十个汉字才能够写满这一行字第二行。\n");
}

TEST(PageLayout, HostilePlacesDoNoHarm) {
  std::mt19937 random(5);
  const float places[] = {0, -1, 1e30f, -1e30f, NAN, INFINITY, 5, 1e5f};
  for (int round = 0; round < 200; ++round) {
    std::vector<PageWord> words;
    for (int i = 0; i < 50; ++i) {
      const auto place = [&] { return places[random() % 8]; };
      words.push_back({place(), place(), place(), place(), "\xFFw-", static_cast<int>(random() % 5), random() % 2 == 0});
    }
    EXPECT_TRUE(is_valid_utf8(layout_page(words)));
  }
}

TEST(PageLayout, TenThousandWordsAreReadInTime) {
  Page page;
  for (int row = 0; row < 5000; ++row) page.line(static_cast<float>(row % 7) * 80, static_cast<float>(row), "two words");
  EXPECT_GT(page.text().size(), 45'000u);
}

TEST(JudgeWords, CountsWhatCanBeRead) {
  Page page;
  page.line(0, 0, "abc \uE001\uE002 \uFFFD");
  const TextQuality quality = judge_words(page.words());
  EXPECT_EQ(quality.characters, 6u);
  EXPECT_EQ(quality.legible, 3u);
}

}  // namespace
}  // namespace glyph
