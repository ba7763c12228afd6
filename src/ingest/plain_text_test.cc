#include "ingest/plain_text.h"

#include <gtest/gtest.h>

#include <string>

#include "base/utf8.h"

namespace glyph {
namespace {

using std::literals::string_literals::operator""s;

TEST(CleanText, LineEndsBecomeNewlines) {
  EXPECT_EQ(clean_text("a\r\nb\rc\nd"), "a\nb\nc\nd");
  EXPECT_EQ(clean_text("a\xC2\x85"
                       "b\xE2\x80\xA8"
                       "c"),
            "a\nb\nc");
  EXPECT_EQ(clean_text("page one\fpage two"), "page one\n\npage two");
}

TEST(CleanText, DropsWhatCannotBeDrawn) {
  EXPECT_EQ(clean_text("a\0b\x07\x1B\x7F"
                       "c"s),
            "abc");
  EXPECT_EQ(clean_text("\xEF\xBB\xBFx\xEF\xBF\xBE"), "x");
  EXPECT_EQ(clean_text("tab\tstays"), "tab\tstays");
}

TEST(CleanText, BrokenUtf8IsReplaced) { EXPECT_EQ(clean_text("a\xFFz"), "a\xEF\xBF\xBDz"); }

TEST(CleanText, IsIdempotentOnEveryByte) {
  std::string all;
  for (int round = 0; round < 3; ++round) {
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte * (round + 1));
  }
  const std::string once = clean_text(all);
  EXPECT_TRUE(is_valid_utf8(once));
  EXPECT_EQ(once.find('\0'), std::string::npos);
  EXPECT_EQ(clean_text(once), once);
}

TEST(TidyLines, KeepsOneBlankLine) {
  EXPECT_EQ(tidy_lines("\n\n a  \n\n\n\nb\t\n\n"), " a\n\nb\n");
  EXPECT_EQ(tidy_lines("\n \n"), "");
}

TEST(OnOneLine, JoinsLinesThatAreNotBlank) { EXPECT_EQ(on_one_line("  a b\n\n  c\n", " "), "a b c"); }

TEST(JoinLine, SpaceBetweenWordsNotBetweenHan) {
  std::string english = "one";
  join_line(english, "two");
  EXPECT_EQ(english, "one two");
  std::string chinese = "第一行，";
  join_line(chinese, "第二行");
  EXPECT_EQ(chinese, "第一行，第二行");
  join_line(chinese, "end");
  EXPECT_EQ(chinese, "第一行，第二行 end");
}

TEST(LastCodePoint, ReadsBackwards) {
  EXPECT_EQ(last_code_point(""), 0u);
  EXPECT_EQ(last_code_point("x"), uint32_t{'x'});
  EXPECT_EQ(last_code_point("a😀"), 0x1F600u);
}

}  // namespace
}  // namespace glyph
