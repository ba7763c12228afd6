#include "tokenize/pre_tokenizer.h"

#include "base/utf8.h"
#include "tokenize/char_class.h"

namespace glyph {
namespace {

struct Part {
  size_t begin, end;
  bool matched;
};

// Calls take(Part) for each part of the text cut at the matches. Reference: Pattern::find_matches and Invert.
template <typename Take>
void cut(const SplitStep& split, std::string_view text, Take take) {
  size_t done = 0;
  const auto part = [&](size_t begin, size_t end, bool matched) {
    if (begin < end) take(Part{begin, end, matched != split.invert});
  };
  const auto match = [&](size_t begin, size_t end) {
    part(done, begin, false);
    part(begin, end, true);
    done = end;
  };
  if (const auto* literal = std::get_if<std::string>(&split.pattern)) {
    for (size_t at = text.find(*literal); at != std::string_view::npos; at = text.find(*literal, done))
      match(at, at + literal->size());
  } else {
    Pattern::Search search(std::get<Pattern>(split.pattern), text);
    while (const auto found = search.next()) match(found->begin, found->end);
  }
  part(done, text.size(), false);
}

// Joins parts as the behavior says. Reference: NormalizedString::split.
std::vector<Part> join(const std::vector<Part>& parts, SplitBehavior behavior) {
  std::vector<Part> joined;
  bool previous_matched = false;
  for (const Part& part : parts) {
    const bool extend =
        !joined.empty() &&
        ((behavior == SplitBehavior::kMergedWithPrevious && part.matched && !previous_matched) ||
         (behavior == SplitBehavior::kMergedWithNext && !part.matched && previous_matched) ||
         (behavior == SplitBehavior::kContiguous && part.matched == previous_matched));
    if (extend) {
      joined.back().end = part.end;
    } else {
      joined.push_back(part);
    }
    previous_matched = part.matched;
  }
  return joined;
}

}  // namespace

void PreTokenizer::run(size_t step, std::string_view text, PieceSink& sink) const {
  if (text.empty()) return;
  if (step == steps_.size()) return sink.piece(text);
  const PreTokenizerStep& current = steps_[step];
  if (const auto* gpt = std::get_if<GptStep>(&current)) return run_gpt(step, gpt->pattern, text, sink);
  if (const auto* split = std::get_if<SplitStep>(&current)) return run_split(step, *split, text, sink);
  if (const auto* digits = std::get_if<DigitsStep>(&current))
    return run_digits(step, digits->individual, text, sink);
  if (text.front() == ' ') return run(step + 1, text, sink);
  const std::string spaced = " " + std::string(text);
  run(step + 1, spaced, sink);
}

void PreTokenizer::run_gpt(size_t step, GptPattern pattern, std::string_view text, PieceSink& sink) const {
  const bool is_last = step + 1 == steps_.size();
  for (size_t at = 0; at < text.size();) {
    const size_t end = next_gpt_piece(pattern, text, at);
    const std::string_view piece = text.substr(at, end - at);
    if (is_last) {
      sink.piece(piece);
    } else {
      run(step + 1, piece, sink);
    }
    at = end;
  }
}

void PreTokenizer::run_split(size_t step, const SplitStep& split, std::string_view text,
                             PieceSink& sink) const {
  const auto pass_on = [&](const Part& part) {
    run(step + 1, text.substr(part.begin, part.end - part.begin), sink);
  };
  if (split.behavior == SplitBehavior::kIsolated) return cut(split, text, pass_on);
  if (split.behavior == SplitBehavior::kRemoved) {
    return cut(split, text, [&](const Part& part) {
      if (!part.matched) pass_on(part);
    });
  }
  std::vector<Part> parts;
  cut(split, text, [&](const Part& part) { parts.push_back(part); });
  for (const Part& part : join(parts, split.behavior)) pass_on(part);
}

void PreTokenizer::run_digits(size_t step, bool individual, std::string_view text, PieceSink& sink) const {
  size_t begin = 0;
  bool in_digits = false;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    const bool digit = is_numeric(point.value);
    if (at > begin && (digit != in_digits || (digit && individual))) {
      run(step + 1, text.substr(begin, at - begin), sink);
      begin = at;
    }
    in_digits = digit;
    at += point.length;
  }
  run(step + 1, text.substr(begin), sink);
}

}  // namespace glyph
