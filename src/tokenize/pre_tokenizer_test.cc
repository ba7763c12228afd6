#include "tokenize/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <sstream>

#include "base/text_file.h"
#include "base/utf8.h"
#include "tokenize/char_class.h"

namespace glyph {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Collector final : public PieceSink {
 public:
  void piece(std::string_view bytes) override { pieces.emplace_back(bytes); }
  std::vector<std::string> pieces;
};

std::vector<std::string> pieces_of(std::vector<PreTokenizerStep> steps, std::string_view text) {
  Collector collector;
  PreTokenizer(std::move(steps)).split(text, collector);
  return std::move(collector.pieces);
}

SplitStep regex_split(std::string_view pattern, SplitBehavior behavior, bool invert = false) {
  auto compiled = Pattern::compile(pattern);
  EXPECT_TRUE(compiled.ok()) << compiled.status().message();
  return {*std::move(compiled), behavior, invert};
}

// Every code point against what the reference's regular expressions say (tests/tokenize/char_classes.txt).
TEST(CharClass, IsTheReferenceForEveryCodePoint) {
  std::istringstream file(*read_file("tests/tokenize/char_classes.txt", 1 << 20));
  std::vector<CharClass> expected(0x110000, CharClass::kOther);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) continue;
    const CharClass kind = line[0] == 'L'   ? CharClass::kLetter
                           : line[0] == 'N' ? CharClass::kNumber
                                            : CharClass::kSpace;
    std::istringstream ranges(line.substr(1));
    for (std::string range; ranges >> range;) {
      const size_t last = std::stoul(range.substr(range.find('-') + 1), nullptr, 16);
      for (size_t c = std::stoul(range, nullptr, 16); c <= last; ++c) expected[c] = kind;
    }
  }
  int wrong = 0;
  for (uint32_t c = 0; c < expected.size(); ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    wrong += char_class(c) != expected[c];
    EXPECT_LT(wrong, 5) << std::hex << c;
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(char_class(0x110000), CharClass::kOther);
}

// The translated regular expressions see the same classes as the hand-written matchers.
TEST(Pattern, ClassesAgreeWithTheTable) {
  std::string all;
  std::vector<uint32_t> points;
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    append_utf8(all, c);
    points.push_back(c);
  }
  const std::pair<const char*, CharClass> kinds[] = {{"\\p{L}", CharClass::kLetter},
                                                     {"[\\p{N}]", CharClass::kNumber},
                                                     {"\\s", CharClass::kSpace},
                                                     {"[^\\S]", CharClass::kSpace},
                                                     {"[^\\s\\p{L}\\p{N}]", CharClass::kOther}};
  for (const auto& [text, kind] : kinds) {
    const auto pattern = Pattern::compile(text);
    ASSERT_TRUE(pattern.ok()) << pattern.status().message();
    Pattern::Search search(*pattern, all);
    size_t matched = 0, wrong = 0;
    while (const auto match = search.next()) {
      ++matched;
      wrong += char_class(decode_utf8(all, match->begin).value) != kind;
    }
    EXPECT_EQ(wrong, 0u) << text;
    EXPECT_EQ(matched,
              std::count_if(points.begin(), points.end(), [&](uint32_t c) { return char_class(c) == kind; }))
        << text;
  }
}

// Random text of the characters that matter, through the regular expression and by hand.
TEST(GptSplit, EqualsTheRegularExpressions) {
  const char* const units[] = {"a",
                               "B",
                               "s",
                               "S",
                               "t",
                               "l",
                               "L",
                               "v",
                               "e",
                               "r",
                               "m",
                               "d",
                               "'",
                               "'",
                               " ",
                               " ",
                               "\n",
                               "\r",
                               "\t",
                               "1",
                               "2",
                               "9",
                               ".",
                               "-",
                               "!",
                               "\xC5\xBF",
                               "\xE2\x84\xAA",
                               "\xC2\xA0",
                               "\xE3\x80\x80",
                               "\xE1\xA0\x8E",
                               "\xC2\x85",
                               "\xE4\xB8\x80",
                               "\xD9\xA3",
                               "\xE2\x85\xA7",
                               "\xC2\xBD",
                               "\xCC\x81",
                               "\xF0\x9F\x98\x80",
                               "\xEF\xBF\xBD",
                               "\xF0\xAB\xBB\xB0",
                               "\xF0\x90\xB5\x80",
                               "\xE2\x80\xA8",
                               "\xE2\x80\x8D"};
  std::mt19937 random(11);
  for (const GptPattern kind : {GptPattern::kGpt4, GptPattern::kGpt4SingleDigits, GptPattern::kGpt2}) {
    ASSERT_EQ(recognize_gpt_pattern(pattern_text(kind)), kind);
    const SplitStep regex = regex_split(pattern_text(kind), SplitBehavior::kIsolated);
    for (int round = 0; round < 20000; ++round) {
      std::string text;
      const int length = 1 + static_cast<int>(random() % 14);
      for (int i = 0; i < length; ++i) text += units[random() % std::size(units)];
      ASSERT_EQ(pieces_of({GptStep{kind}}, text), pieces_of({regex}, text)) << text;
    }
  }
  EXPECT_EQ(recognize_gpt_pattern("\\s+"), std::nullopt);
}

TEST(PreTokenizer, SplitBehaviors) {
  using B = SplitBehavior;
  const auto with = [](B behavior, bool invert = false) {
    return pieces_of({regex_split("-", behavior, invert)}, "the-final--countdown-");
  };
  EXPECT_THAT(with(B::kIsolated), ElementsAre("the", "-", "final", "-", "-", "countdown", "-"));
  EXPECT_THAT(with(B::kRemoved), ElementsAre("the", "final", "countdown"));
  EXPECT_THAT(with(B::kMergedWithPrevious), ElementsAre("the-", "final-", "-", "countdown-"));
  EXPECT_THAT(with(B::kMergedWithNext), ElementsAre("the", "-final", "-", "-countdown", "-"));
  EXPECT_THAT(with(B::kContiguous), ElementsAre("the", "-", "final", "--", "countdown", "-"));
  EXPECT_THAT(with(B::kRemoved, true), ElementsAre("-", "-", "-", "-"));
  EXPECT_THAT(pieces_of({SplitStep{std::string("--"), B::kIsolated, false}}, "a--b---c"),
              ElementsAre("a", "--", "b", "--", "-c"));
}

TEST(PreTokenizer, DigitsAndPrefixSpace) {
  EXPECT_THAT(pieces_of({DigitsStep{true}}, "ab12c3"), ElementsAre("ab", "1", "2", "c", "3"));
  EXPECT_THAT(pieces_of({DigitsStep{false}}, "12ab345"), ElementsAre("12", "ab", "345"));
  EXPECT_THAT(pieces_of({PrefixSpaceStep{}, GptStep{GptPattern::kGpt2}}, "one two"),
              ElementsAre(" one", " two"));
  EXPECT_THAT(pieces_of({PrefixSpaceStep{}}, " one"), ElementsAre(" one"));
  EXPECT_TRUE(pieces_of({PrefixSpaceStep{}}, "").empty());
}

TEST(Pattern, RefusesWhatMeansSomethingElseInTheReference) {
  const auto refusal = [](const char* pattern) {
    const auto compiled = Pattern::compile(pattern);
    return compiled.ok() ? "" : compiled.status().message();
  };
  EXPECT_THAT(refusal("\\w+"), HasSubstr("the escape \\w"));
  EXPECT_THAT(refusal("\\h"), HasSubstr("the escape \\h"));
  EXPECT_THAT(refusal("^a"), HasSubstr("the anchor ^"));
  EXPECT_THAT(refusal("a$"), HasSubstr("the anchor $"));
  EXPECT_THAT(refusal("[a[b]]"), HasSubstr("a class inside a class"));
  EXPECT_THAT(refusal("[a&&b]"), HasSubstr("an intersection"));
  EXPECT_THAT(refusal("\\p{N}{1,3}+"), HasSubstr("a quantifier behind an interval"));
  EXPECT_THAT(refusal("(?i:street)"), HasSubstr("a case-insensitive \"st\""));
  EXPECT_THAT(refusal("(?m:a)"), HasSubstr("the group"));
  EXPECT_THAT(refusal("[\\P{L}]"), HasSubstr("inside brackets"));
  EXPECT_THAT(refusal("a*"), HasSubstr("matches the empty string"));
  EXPECT_THAT(refusal("a)"), HasSubstr("an unopened group"));
  EXPECT_THAT(refusal("(a"), HasSubstr("an unclosed group"));
  EXPECT_THAT(refusal("[a"), HasSubstr("an unclosed class"));
  EXPECT_THAT(refusal("a\\"), HasSubstr("a backslash at its end"));
  EXPECT_THAT(refusal("\\p{NoSuchScript}"), HasSubstr("is not valid"));
  EXPECT_EQ(refusal("\\p{Han}+|\\u4e00\\x{4E01}|(?<=a)b|(?:c|d)+?|\\S\\D[\\S\\d\\.]"), "");
}

// A pattern that backtracks without end stops at its limit; the text still comes through whole.
TEST(Pattern, AHostilePatternIsStopped) {
  const std::string text(40, 'a');
  const auto pieces =
      pieces_of({regex_split("(a+)+b|(a|aa)+c", SplitBehavior::kIsolated)}, text + "\n" + text);
  std::string joined;
  for (const std::string& piece : pieces) joined += piece;
  EXPECT_EQ(joined, text + "\n" + text);
}

}  // namespace
}  // namespace glyph
