// Splits a thinking model's text into reasoning and answer while it streams.
//
// <think>reasoning</think> goes to reasoning, <answer> and </answer> are taken off what they wrap, everything else is content.
// A tag may be split across pieces; text is held back only while it could still become a tag. White space right after
// </think>, <answer> and before </answer> is dropped, as is white space at the very beginning. Not thread safe; one object, one
// answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace glyph {

struct AnswerEvent {
  enum class Kind { kReasoning, kContent };
  Kind kind = Kind::kContent;
  std::string text;  // never empty
};

struct ParsedAnswer {
  std::string reasoning;
  std::string content;
};

class AnswerParser {
 public:
  // New text in, events out; neighbouring text of one kind may come in several events.
  std::vector<AnswerEvent> push(std::string_view text);
  // The end: what was held back. An unclosed <think> leaves its text as reasoning.
  std::vector<AnswerEvent> flush();

 private:
  enum class Place { kContent, kReasoning, kAnswer };

  void take(std::string_view text, std::vector<AnswerEvent>& events);
  void emit(std::string_view text, std::vector<AnswerEvent>& events);
  void enter(std::string_view tag);

  Place place_ = Place::kContent;
  std::string held_;    // could still become a tag
  std::string spaces_;  // white space that is dropped if </answer> or </think> follows
  bool at_start_ = true;  // nothing but white space since the last tag or the beginning
};

// The whole text at once.
ParsedAnswer parse_answer(std::string_view text);

}  // namespace glyph
