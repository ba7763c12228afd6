#include "answer/answer_parser.h"

#include <algorithm>
#include <utility>

namespace glyph {
namespace {

constexpr std::string_view kThink = "<think>";
constexpr std::string_view kThinkEnd = "</think>";
constexpr std::string_view kAnswer = "<answer>";
constexpr std::string_view kAnswerEnd = "</answer>";
constexpr std::string_view kSpace = " \t\r\n";

std::string_view without_trailing_space(std::string_view text) {
  const size_t last = text.find_last_not_of(kSpace);
  return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

// How many bytes at the end of `text` begin `tag`.
size_t open_bytes(std::string_view text, std::string_view tag) {
  for (size_t length = std::min(tag.size() - 1, text.size()); length > 0; --length) {
    if (text.ends_with(tag.substr(0, length))) return length;
  }
  return 0;
}

}  // namespace

void AnswerParser::emit(std::string_view text, std::vector<AnswerEvent>& events) {
  if (at_start_) text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  if (text.empty()) return;
  at_start_ = false;
  const auto kind = place_ == Place::kReasoning ? AnswerEvent::Kind::kReasoning : AnswerEvent::Kind::kContent;
  events.push_back({kind, std::string(text)});
}

// Before an opening tag: drops white space, enters what a tag opens, or finds that there is none. False: more
// text is needed.
bool AnswerParser::open_tag(std::vector<AnswerEvent>& events) {
  held_.erase(0, std::min(held_.find_first_not_of(kSpace), held_.size()));
  if (held_.empty()) return false;
  at_start_ = true;
  const bool may_think = place_ == Place::kStart;
  if (may_think && held_.starts_with(kThink)) {
    held_.erase(0, kThink.size());
    place_ = Place::kReasoning;
    return true;
  }
  if (held_.starts_with(kAnswer)) {
    held_.erase(0, kAnswer.size());
    place_ = Place::kAnswer;
    return true;
  }
  if (kAnswer.starts_with(held_) || (may_think && kThink.starts_with(held_))) return false;
  place_ = Place::kContent;
  emit(std::exchange(held_, {}), events);
  return false;
}

bool AnswerParser::read_until(std::string_view closing_tag, Place after, std::vector<AnswerEvent>& events) {
  const size_t close = held_.find(closing_tag);
  if (close != std::string::npos) {
    emit(without_trailing_space(std::string_view(held_).substr(0, close)), events);
    held_.erase(0, close + closing_tag.size());
    place_ = after;
    at_start_ = true;
    return true;
  }
  const std::string_view ready =
      std::string_view(held_).substr(0, held_.size() - open_bytes(held_, closing_tag));
  const size_t count = without_trailing_space(ready).size();
  emit(ready.substr(0, count), events);
  held_.erase(0, count);
  return false;
}

// Behind </answer>: white space counts only when more text follows.
bool AnswerParser::find_tail() {
  if (held_.find_first_not_of(kSpace) == std::string::npos) return false;
  at_start_ = false;
  place_ = Place::kContent;
  return true;
}

// One transition; false when all that can be said of the held text has been said.
bool AnswerParser::step(std::vector<AnswerEvent>& events) {
  switch (place_) {
    case Place::kStart:
    case Place::kAfterReasoning:
      return open_tag(events);
    case Place::kReasoning:
      return read_until(kThinkEnd, Place::kAfterReasoning, events);
    case Place::kAnswer:
      return read_until(kAnswerEnd, Place::kAfterAnswer, events);
    case Place::kAfterAnswer:
      return find_tail();
    case Place::kContent:
      emit(std::exchange(held_, {}), events);
      return false;
  }
  return false;
}

std::vector<AnswerEvent> AnswerParser::push(std::string_view text) {
  std::vector<AnswerEvent> events;
  held_ += text;
  while (!held_.empty() && step(events)) {
  }
  return events;
}

std::vector<AnswerEvent> AnswerParser::flush() {
  std::vector<AnswerEvent> events;
  emit(without_trailing_space(std::exchange(held_, {})), events);
  return events;
}

ParsedAnswer parse_answer(std::string_view text) {
  AnswerParser parser;
  ParsedAnswer answer;
  const auto take = [&](const std::vector<AnswerEvent>& events) {
    for (const AnswerEvent& event : events) {
      (event.kind == AnswerEvent::Kind::kReasoning ? answer.reasoning : answer.content) += event.text;
    }
  };
  take(parser.push(text));
  take(parser.flush());
  return answer;
}

}  // namespace glyph
