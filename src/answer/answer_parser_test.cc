#include "answer/answer_parser.h"

#include <gtest/gtest.h>

#include <random>

namespace glyph {
namespace {

struct Expected {
  const char* text;
  const char* reasoning;
  const char* content;
};

const Expected kCases[] = {
    {"", "", ""},
    {"Just text.", "", "Just text."},
    {"  \n Just text.\n", "", "Just text.\n"},
    {"<think>I wonder.</think><answer>42</answer>", "I wonder.", "42"},
    {"<think>\nI wonder.\n\n</think>\n\n<answer>\n42 and\n 43\n</answer>\n", "I wonder.", "42 and\n 43"},
    {"<think>I wonder.</think>\nPlain answer", "I wonder.", "Plain answer"},
    {"<answer>42</answer>", "", "42"},
    {"<think>never closed ", "never closed", ""},
    {"<think>x</think><answer>stopped by an id\n", "x", "stopped by an id"},
    {"<think>a < b and </thin and <answer> inside</think>ok", "a < b and </thin and <answer> inside", "ok"},
    {"Say <think> and <answer>x</answer>", "", "Say <think> and <answer>x</answer>"},
    {"<thin", "", "<thin"},
    {"<thinking>x", "", "<thinking>x"},
    {"<think></think><answer></answer>", "", ""},
    {"<think>a</think><think>b</think>", "a", "<think>b</think>"},
    {"<answer>a </answ", "", "a </answ"},
    {"<answer>a</answer> tail", "", "a tail"},
    {"<think>\xE6\x83\xB3</think><answer>\xE7\xAD\x94</answer>", "\xE6\x83\xB3", "\xE7\xAD\x94"},
};

TEST(AnswerParser, SplitsReasoningFromContent) {
  for (const Expected& expected : kCases) {
    const ParsedAnswer answer = parse_answer(expected.text);
    EXPECT_EQ(answer.reasoning, expected.reasoning) << expected.text;
    EXPECT_EQ(answer.content, expected.content) << expected.text;
  }
}

TEST(AnswerParser, TheResultDoesNotDependOnThePieces) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    for (const Expected& expected : kCases) {
      AnswerParser parser;
      ParsedAnswer answer;
      const auto take = [&](const std::vector<AnswerEvent>& events) {
        for (const AnswerEvent& event : events) {
          EXPECT_FALSE(event.text.empty());
          (event.kind == AnswerEvent::Kind::kReasoning ? answer.reasoning : answer.content) += event.text;
        }
      };
      const std::string_view text = expected.text;
      for (size_t at = 0; at < text.size();) {
        const size_t size = 1 + random() % 5;
        take(parser.push(text.substr(at, size)));
        at += size;
      }
      take(parser.flush());
      EXPECT_EQ(answer.reasoning, expected.reasoning) << expected.text;
      EXPECT_EQ(answer.content, expected.content) << expected.text;
    }
  }
}

TEST(AnswerParser, GivesTextAsSoonAsItIsCertain) {
  AnswerParser parser;
  EXPECT_TRUE(parser.push("<thi").empty());
  EXPECT_TRUE(parser.push("nk>").empty());
  EXPECT_EQ(parser.push("why ").at(0).text, "why");
  EXPECT_EQ(parser.push("not </").at(0).text, " not");
  EXPECT_EQ(parser.push("b>").at(0).text, " </b>");
  EXPECT_TRUE(parser.push("</think>\n").empty());
  const auto events = parser.push("Because");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kind, AnswerEvent::Kind::kContent);
  EXPECT_EQ(events[0].text, "Because");
}

}  // namespace
}  // namespace glyph
