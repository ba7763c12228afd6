// Line breaking, rule by rule. Widths are chosen in multiples of characters of Noto Sans Mono CJK SC at 10 points: 5 and 10 points.
#include "render/wrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/utf8.h"
#include "render/font_face.h"

namespace glyph {
namespace {

using ::testing::ElementsAre;

class WrapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto file = FontFile::open(kChineseFont);
    ASSERT_TRUE(file.ok()) << file.status().message();
    auto face = FontFace::open(*file);
    ASSERT_TRUE(face.ok());
    face_ = *std::move(face);
    table_ = std::make_unique<CharTable>(*face_, 10);
  }

  // One paragraph of `text`, whose newlines are <br/>.
  void read(const std::string& text) {
    source_ = text;
    const auto markup = parse_newline_markup("<br/>");
    Story story(source_, PageStyle(), *markup, *table_);
    ASSERT_TRUE(story.next(text_));
  }

  WrapContext context() const { return {table_.get(), &text_.chars}; }

  std::vector<std::string> lines(const WrappedLines& wrapped) const {
    std::vector<std::string> result;
    for (const Line& line : wrapped.lines) {
      std::string shown;
      for (uint32_t r = line.run_begin; r < line.run_end; ++r) {
        const LineRun& run = wrapped.runs[r];
        if (run.is_space()) shown += ' ';
        for (uint32_t i = run.begin; i < run.end && !run.is_space(); ++i) {
          const uint32_t code = table_->code_point(text_.chars[i].slot);
          append_utf8(shown, code == 0xA0 ? '~' : code);
        }
      }
      result.push_back(shown);
    }
    return result;
  }

  std::vector<std::string> simple(const std::string& text, double width) {
    read(text);
    EXPECT_EQ(text_.fragments.size(), 1u);
    simple_.start(context(), text_.fragments[0]);
    simple_.wrap({width, width}, SIZE_MAX, wrapped_);
    return lines(wrapped_);
  }

  std::vector<std::string> complex(const std::string& text, double width) {
    read(text);
    complex_.start(context(), text_.fragments);
    complex_.wrap({width, width}, SIZE_MAX, wrapped_);
    return lines(wrapped_);
  }

  std::vector<std::string> cjk(const std::string& text, double width) {
    read(text);
    cjk_.start(context(), text_.fragments);
    cjk_.wrap({width, width}, wrapped_);
    return lines(wrapped_);
  }

  std::unique_ptr<FontFace> face_;
  std::unique_ptr<CharTable> table_;
  std::string source_;
  ParagraphText text_;
  WrappedLines wrapped_;
  SimpleWrapper simple_;
  ComplexWrapper complex_;
  CjkWrapper cjk_;
};

TEST_F(WrapTest, StoryCleansWhiteSpace) {
  read(" a \t b\r\x0b\u3000 c ");
  EXPECT_EQ(text_.fragments.size(), 1u);
  std::string shown;
  for (size_t i = 0; i < text_.chars.size(); ++i) append_utf8(shown, table_->code_point(text_.chars[i].slot));
  EXPECT_EQ(shown, "a b c");
}

TEST_F(WrapTest, StoryMakesFragmentsOfEntitiesAndRunsOfSpaces) {
  read("a&b  c\u00ad \u200b d");  // the dropped characters do not end the second run
  std::vector<std::string> shown;
  for (const Fragment& f : text_.fragments) {
    std::string part;
    for (uint32_t i = f.begin; i < f.end; ++i) append_utf8(part, table_->code_point(text_.chars[i].slot));
    shown.push_back(part);
  }
  EXPECT_THAT(shown, ElementsAre("a", "&", "b", "\u00a0", "\u00a0", "c", "\u00a0", "\u00a0", "d"));
  EXPECT_EQ(text_.chars[6].source, source_.find("\u200b") - 1);
  EXPECT_EQ(text_.chars[7].source, source_.find(" d"));
}

TEST_F(WrapTest, WordsGoToTheNextLine) {
  EXPECT_THAT(simple("aaa bbb ccc", 35), ElementsAre("aaa bbb", "ccc"));
  EXPECT_THAT(simple("aaa bbb ccc", 34), ElementsAre("aaa", "bbb", "ccc"));
  EXPECT_DOUBLE_EQ(wrapped_.lines[0].extra_space, 34 - 15);
}

TEST_F(WrapTest, SpacesShrinkByAtMostFivePercent) {
  EXPECT_THAT(simple("aaa bbb", 34.76), ElementsAre("aaa bbb"));
  EXPECT_LT(wrapped_.lines[0].extra_space, 0);
  EXPECT_THAT(simple("aaa bbb", 34.74), ElementsAre("aaa", "bbb"));
  EXPECT_THAT(complex("&aa bbb", 34.76), ElementsAre("&aa bbb"));
  EXPECT_THAT(complex("&aa bbb", 34.74), ElementsAre("&aa", "bbb"));
}

TEST_F(WrapTest, LongWordsFillTheLineTheyStartOn) {
  EXPECT_THAT(simple("ab cdefghijk l", 20), ElementsAre("ab c", "defg", "hijk", "l"));
  EXPECT_THAT(complex("ab cde&ghijk l", 20), ElementsAre("ab c", "de&g", "hijk", "l"));
}

TEST_F(WrapTest, NoBreakSpacesHoldWordsTogether) {
  EXPECT_THAT(simple("aa\u00a0bb cc", 30), ElementsAre("aa~bb", "cc"));
  EXPECT_THAT(complex("aa  bb cc", 30), ElementsAre("aa~~bb", "cc"));
}

TEST_F(WrapTest, BreaksEndLinesAndAreNotJustified) {
  EXPECT_THAT(complex("aa bb\n\ncc", 100), ElementsAre("aa bb", "", "cc"));
  EXPECT_TRUE(wrapped_.lines[0].is_break);
  EXPECT_TRUE(wrapped_.lines[1].is_blank);
  EXPECT_FALSE(wrapped_.lines[2].is_break);
}

TEST_F(WrapTest, TheRestAfterABreakStartsWithAnEmptyLine) {
  complex("aa\nbb\ncc\ndd", 100);
  complex_.cut(2, wrapped_, nullptr);
  complex_.wrap({100, 100}, SIZE_MAX, wrapped_);
  EXPECT_THAT(lines(wrapped_), ElementsAre("", "cc", "dd"));
}

TEST_F(WrapTest, ACutJoinsThePartsOfALongWordAgain) {
  complex("a &bcdefghijklmnop q", 20);
  ASSERT_THAT(lines(wrapped_), ElementsAre("a &b", "cdef", "ghij", "klmn", "op q"));
  EXPECT_TRUE(complex_.has_parts());
  ComplexWrapper head;
  complex_.cut(2, wrapped_, &head);
  WrappedLines cut;
  head.wrap({20, 20}, SIZE_MAX, cut);
  EXPECT_THAT(lines(cut), ElementsAre("a &b", "cdef"));
  complex_.wrap({30, 30}, SIZE_MAX, wrapped_);
  EXPECT_THAT(lines(wrapped_), ElementsAre("ghijkl", "mnop q"));
}

TEST_F(WrapTest, AParagraphThatDidNotFitIsWrappedFromItsStart) {
  for (const char* text : {"aaa bbb ccc ddd", "aaa &bb ccc ddd"}) {
    read(text);
    const bool is_simple = text_.fragments.size() == 1;
    simple_.start(context(), text_.fragments[0]);
    complex_.start(context(), text_.fragments);
    for (size_t max_lines : {1u, 2u, 100u}) {
      is_simple ? simple_.wrap({20, 20}, max_lines, wrapped_) : complex_.wrap({20, 20}, max_lines, wrapped_);
      EXPECT_EQ(lines(wrapped_)[0], "aaa");
    }
    EXPECT_EQ(wrapped_.lines.size(), 4u) << text;
  }
}

TEST_F(WrapTest, FirstLineHasItsOwnWidth) {
  read("aa bb cc dd");
  simple_.start(context(), text_.fragments[0]);
  simple_.wrap({12, 27}, SIZE_MAX, wrapped_);
  EXPECT_THAT(lines(wrapped_), ElementsAre("aa", "bb cc", "dd"));
}

TEST_F(WrapTest, CjkBreaksAnywhere) {
  EXPECT_THAT(cjk("一二三四五六七", 30), ElementsAre("一二三", "四五六", "七"));
  EXPECT_THAT(cjk("一二三四五六七", 29.9), ElementsAre("一二", "三四", "五六", "七"));
}

TEST_F(WrapTest, CjkPunctuationHangsInTheMargin) {
  EXPECT_THAT(cjk("一二三。四五六", 30), ElementsAre("一二三。", "四五六"));
  EXPECT_DOUBLE_EQ(wrapped_.lines[0].extra_space, -10);
  EXPECT_THAT(cjk("一二三，四。五", 30), ElementsAre("一二三", "，四。", "五"));  // the full-width comma may start a line
  EXPECT_THAT(cjk("一二三。。四", 30), ElementsAre("一二三。", "。四"));  // one character may hang, not two
}

TEST_F(WrapTest, CjkLooksBackForASpaceInLatinText) {
  // The word would be cut; the break goes behind the space, as it lies in the line's second half.
  EXPECT_THAT(cjk("一二三四五 abcdef。", 60), ElementsAre("一二三四五", "abcdef。"));
  // No space and no CJK character in the second half: cut like with a knife.
  EXPECT_THAT(cjk("一abcdefghijklm", 40), ElementsAre("一abcdef", "ghijklm"));
}

TEST_F(WrapTest, CjkSingleFragmentLinesAreStripped) {
  EXPECT_THAT(cjk("一二 三四五", 25), ElementsAre("一二", "三四", "五"));
}

TEST_F(WrapTest, CjkRestGetsASpaceBehindEachLine) {
  cjk("一二三四五六七八九\n十", 30);
  ASSERT_THAT(lines(wrapped_), ElementsAre("一二三", "四五六", "七八九", "十"));
  EXPECT_TRUE(wrapped_.lines[2].is_break);
  cjk_.cut(1, wrapped_);
  cjk_.wrap({30, 30}, wrapped_);
  // The space behind 四五六 does not fit there and starts the next line, which pushes a character on; the break has become a
  // space that ends its line.
  EXPECT_THAT(lines(wrapped_), ElementsAre("四五六", " 七八", "九 ", "十"));
}

TEST_F(WrapTest, ZeroWidthIsSurvived) {
  EXPECT_FALSE(simple("abc def", 0).empty());
  EXPECT_FALSE(complex("abc & def", 0).empty());
  EXPECT_FALSE(cjk("一二三", 0).empty());
  EXPECT_FALSE(complex("abc & def", -50).empty());
}

}  // namespace
}  // namespace glyph
