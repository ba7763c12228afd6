#include "engine/scripts.h"

#include <gtest/gtest.h>

namespace glyph {
namespace {

const std::vector<std::string> kLatin{"Latin"};

TEST(Scripts, CountsLettersOnly) {
  const auto counts = count_scripts("Ab1, \xD0\x96 \xE4\xB8\xAD\xE6\x96\x87\xE3\x80\x82 \xC3\xA9");
  ASSERT_EQ(counts.size(), 3u);
  EXPECT_EQ(counts[0].script, "Latin");
  EXPECT_EQ(counts[0].letters, 3u);
  EXPECT_EQ(counts[1].script, "Han");
  EXPECT_EQ(counts[1].letters, 2u);
  EXPECT_EQ(counts[2].script, "Cyrillic");
}

TEST(Scripts, WarnsAboutWhatTheModelDoesNotRead) {
  const auto warning = unread_scripts_warning("note.txt", "abcde \xD0\x96\xD0\x96\xD0\x96\xD0\x96\xD0\x96", kLatin);
  ASSERT_TRUE(warning.has_value());
  EXPECT_EQ(*warning,
            "note.txt: 50 % of the letters are Cyrillic, which this model does not read (it reads Latin); do not trust its answer");
}

TEST(Scripts, AForeignWordIsNoReasonToWarn) {
  EXPECT_FALSE(unread_scripts_warning("a", "one two three four five six \xD0\x96", kLatin).has_value());
}

TEST(Scripts, AModelThatDoesNotSayIsNotJudged) { EXPECT_FALSE(unread_scripts_warning("a", "\xD0\x96", {}).has_value()); }

TEST(Scripts, TextWithoutLettersHasNoScript) {
  EXPECT_TRUE(count_scripts("123 !? \xF0\x9F\x98\x80 \xFF\xFE").empty());
  EXPECT_FALSE(unread_scripts_warning("a", "123", kLatin).has_value());
}

}  // namespace
}  // namespace glyph
