// Splits a thinking model's text into reasoning and answer while it streams.
//
// The text is [<think>reasoning</think>] then either <answer>content</answer> or content, as
// GLM-4.1V-9B-Thinking writes it. Only tags in these places count: elsewhere "<think>" is text. A missing
// closing tag (a stop id, a token limit) closes at the end. A tag may be split across pieces; text is held
// back only while it could still become a tag or white space before one. White space around the tags and at
// both ends of what they wrap is dropped. Not thread safe; one object, one answer.
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
  enum class Place { kStart, kReasoning, kAfterReasoning, kAnswer, kAfterAnswer, kContent };

  bool step(std::vector<AnswerEvent>& events);
  bool open_tag(std::vector<AnswerEvent>& events);
  bool read_until(std::string_view closing_tag, Place after, std::vector<AnswerEvent>& events);
  bool find_tail();
  void emit(std::string_view text, std::vector<AnswerEvent>& events);

  Place place_ = Place::kStart;
  std::string held_;      // not yet given out
  bool at_start_ = true;  // of what the current place wraps: leading white space is dropped
};

// The whole text at once.
ParsedAnswer parse_answer(std::string_view text);

}  // namespace glyph
