// Regular expressions of tokenizer.json. The reference runs them on Oniguruma; we translate them to PCRE2
// (with JIT).
//
// Only what means the same in both is let through: literals, classes, groups, alternation, greedy, lazy and
// possessive quantifiers, look-around, \p{..}, \s, \d, (?i:..) over letters. \p{L}, \p{N} and \s get the
// reference's Unicode version (tokenize/char_class.h). Everything else is refused by name rather than run
// with another meaning.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "glyph/status.h"

namespace glyph {

// The PCRE2 spelling of an Oniguruma pattern (Ruby syntax, Unicode). kRefused: a construct we cannot promise.
Result<std::string> translate_pattern(std::string_view pattern);

// A compiled pattern. Any thread may search with it.
class Pattern {
 public:
  // kRefused: a construct we cannot promise, not a regular expression, or one that matches the empty string.
  static Result<Pattern> compile(std::string_view pattern);

  // One pass over one text. `text` is well-formed UTF-8; pattern and text outlive the search. Not thread
  // safe.
  class Search {
   public:
    struct Match {
      size_t begin, end;
    };
    Search(const Pattern& pattern, std::string_view text) : pattern_(pattern), text_(text) {}
    // The next match; nothing at the end, or when the pattern runs into its limits (a hostile pattern).
    std::optional<Match> next();

   private:
    const Pattern& pattern_;
    std::string_view text_;
    size_t at_ = 0;
  };

 private:
  struct Code;
  explicit Pattern(std::shared_ptr<const Code> code) : code_(std::move(code)) {}

  std::shared_ptr<const Code> code_;
};

}  // namespace glyph
