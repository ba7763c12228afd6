#include "answer/stop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace glyph {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  std::string text;
  bool stopped;
  bool operator==(const Outcome&) const = default;
};

Outcome run(const std::vector<std::string>& strings, const std::vector<std::string>& pieces) {
  StopStrings stop(strings);
  std::string text;
  for (const std::string& piece : pieces) {
    text += stop.push(piece).text;
    if (stop.stopped()) break;
  }
  text += stop.flush();
  return {text, stop.stopped()};
}

TEST(StopStrings, AreFoundAcrossPieces) {
  EXPECT_EQ(run({"END"}, {"abc E", "N", "D def"}), (Outcome{"abc ", true}));
  EXPECT_EQ(run({"END"}, {"abc E", "N", "X def"}), (Outcome{"abc ENX def", false}));
  EXPECT_EQ(run({"\n\n", "user:"}, {"one\n", "two us", "er: x"}), (Outcome{"one\ntwo ", true}));
  EXPECT_EQ(run({"aab"}, {"a", "a", "a", "b"}), (Outcome{"a", true}));
  EXPECT_EQ(run({}, {"a", "b"}), (Outcome{"ab", false}));
}

TEST(StopStrings, HoldBackOnlyWhatCouldStop) {
  StopStrings stop({"<|end|>", "###"});
  EXPECT_EQ(stop.push("abc").text, "abc");
  EXPECT_EQ(stop.push("d<|e").text, "d");
  EXPECT_EQ(stop.push("x").text, "<|ex");
  EXPECT_EQ(stop.push("##").text, "");
  EXPECT_EQ(stop.push("1").text, "##1");
  EXPECT_EQ(stop.push("#").text, "");
  EXPECT_EQ(stop.flush(), "#");
  EXPECT_FALSE(stop.stopped());
}

TEST(StopStrings, GiveNothingAfterTheStop) {
  StopStrings stop({"."});
  EXPECT_EQ(stop.push("one. two").text, "one");
  EXPECT_TRUE(stop.stopped());
  EXPECT_EQ(stop.push("three").text, "");
  EXPECT_EQ(stop.flush(), "");
}

TEST(StopStrings, TheResultDoesNotDependOnThePieces) {
  std::mt19937 random(1);
  const std::vector<std::string> strings{"abca", "bb", "cab", "caa"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) text += static_cast<char>('a' + random() % 3);
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size();) {
      const size_t size = 1 + random() % 4;
      pieces.push_back(text.substr(at, size));
      at += size;
    }
    EXPECT_EQ(run(strings, pieces), run(strings, {text})) << text;
  }
}

// A text and stop strings that agree for long: still quick.
TEST(StopStrings, PathologicalOverlap) {
  std::vector<std::string> strings;
  for (size_t i = 0; i < kMaxStopStrings; ++i)
    strings.push_back(std::string(kMaxStopStringBytes - 1 - i, 'a') + "b");
  StopStrings stop(strings);
  std::string text;
  for (int i = 0; i < 2000; ++i) text += stop.push("aaa").text;
  EXPECT_EQ(text + stop.flush(), std::string(6000, 'a'));
}

TEST(StopStrings, AreChecked) {
  EXPECT_TRUE(check_stop_strings(std::vector<std::string>{"a"}).ok());
  EXPECT_THAT(check_stop_strings(std::vector<std::string>{""}).message(), HasSubstr("empty"));
  EXPECT_THAT(check_stop_strings(std::vector<std::string>(17, "a")).message(),
              HasSubstr("17 stop strings, the limit is 16"));
  EXPECT_THAT(check_stop_strings(std::vector<std::string>{std::string(1025, 'a')}).message(),
              HasSubstr("1025 bytes"));
}

TEST(StopIds, Contain) {
  const StopIds stop({7, 3, 7});
  EXPECT_TRUE(stop.contains(3) && stop.contains(7));
  EXPECT_FALSE(stop.contains(5));
  EXPECT_FALSE(StopIds({}).contains(0));
}

}  // namespace
}  // namespace glyph
