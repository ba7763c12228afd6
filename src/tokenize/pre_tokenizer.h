// Cuts a text into the pieces that BPE merges inside of. Reference: the pre_tokenizers of
// huggingface/tokenizers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tokenize/gpt_split.h"
#include "tokenize/pattern.h"

namespace glyph {

// What becomes of the parts a pattern matches.
enum class SplitBehavior { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };

// "Split" with a pattern that is one of the well-known ones, Isolated: run by hand.
struct GptStep {
  GptPattern pattern;
};

// "Split" in general.
struct SplitStep {
  std::variant<Pattern, std::string> pattern;  // a regular expression, or a text to find
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;  // the parts between matches count as matches
};

// "Digits": numbers on their own, one by one or in runs.
struct DigitsStep {
  bool individual = false;
};

// The first half of "ByteLevel": a space before a text that does not begin with one.
struct PrefixSpaceStep {};

using PreTokenizerStep = std::variant<GptStep, SplitStep, DigitsStep, PrefixSpaceStep>;

// Takes the pieces in order; a piece lives only as long as the call.
class PieceSink {
 public:
  virtual void piece(std::string_view bytes) = 0;

 protected:
  ~PieceSink() = default;
};

// Any thread may split.
class PreTokenizer {
 public:
  explicit PreTokenizer(std::vector<PreTokenizerStep> steps = {}) : steps_(std::move(steps)) {}

  // `text` is well-formed UTF-8.
  void split(std::string_view text, PieceSink& sink) const { run(0, text, sink); }

 private:
  void run(size_t step, std::string_view text, PieceSink& sink) const;
  void run_gpt(size_t step, GptPattern pattern, std::string_view text, PieceSink& sink) const;
  void run_split(size_t step, const SplitStep& split, std::string_view text, PieceSink& sink) const;
  void run_digits(size_t step, bool individual, std::string_view text, PieceSink& sink) const;

  std::vector<PreTokenizerStep> steps_;
};

}  // namespace glyph
