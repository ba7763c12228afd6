#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "tokenize/char_class.h"
#include "tokenize/pattern.h"

namespace glyph {
namespace {

constexpr std::string_view kSpaceItems =
    R"(\t-\r\x20\x85\xA0\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";

// Pairs of letters that Oniguruma folds to one character ("ß"), which PCRE2 does not.
constexpr std::array<std::string_view, 5> kMultiCharacterFolds = {"ss", "st", "ff", "fi", "fl"};

class Translator {
 public:
  explicit Translator(std::string_view pattern) : in_(pattern) {}

  Result<std::string> run() {
    while (at_ < in_.size() && problem_.empty()) step();
    if (problem_.empty() && !case_groups_.empty()) problem_ = "an unclosed group";
    if (!problem_.empty())
      return refused(fmt::format("the pattern \"{:.200}\" uses {}, which is not supported", in_, problem_));
    return std::move(out_);
  }

 private:
  char peek(size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
  bool looking_at(std::string_view text) const { return in_.substr(at_).starts_with(text); }
  void fail(std::string what) {
    if (problem_.empty()) problem_ = std::move(what);
  }
  void copy(size_t count) {
    out_ += in_.substr(at_, count);
    at_ += count;
  }

  void step() {
    switch (peek()) {
      case '\\':
        return escape(false);
      case '[':
        return char_class_of_pattern();
      case '(':
        return open_group();
      case ')':
        return close_group();
      case '{':
        return interval();
      case '^':
        return fail("the anchor ^");
      case '$':
        return fail("the anchor $");
      default:
        copy(1);
    }
  }

  // What a class says of letters, numbers and spaces, as items inside brackets.
  void property(bool negated, bool in_class) {
    const size_t close = in_.find('}', at_);
    if (peek(2) != '{' || close == std::string_view::npos) return fail("a property without braces");
    const std::string_view name = in_.substr(at_ + 3, close - at_ - 3);
    at_ = close + 1;
    const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return std::isalpha(static_cast<unsigned char>(c));
    });
    if (!is_name) return fail(fmt::format("the property \"{:.40}\"", name));
    if (name == "L" || name == "N") {
      const std::string_view newer = name == "L" ? letters_after_pcre2() : numbers_after_pcre2();
      if (negated && in_class) return fail(fmt::format("\\P{{{}}} inside brackets", name));
      const std::string items = fmt::format("\\p{{{}}}{}", name, newer);
      out_ += in_class ? items : fmt::format("[{}{}]", negated ? "^" : "", items);
      return;
    }
    // Two letters at most: a general category. Longer: a script (PCRE2 would read script extensions).
    out_ += fmt::format("\\{}{{{}{}}}", negated ? 'P' : 'p', name.size() > 2 ? "sc:" : "", name);
  }

  void space(bool negated, bool in_class) {
    at_ += 2;
    if (!negated) {
      out_ += in_class ? std::string(kSpaceItems) : fmt::format("[{}]", kSpaceItems);
    } else if (in_class) {
      out_ += "\\S\\x{180E}";  // a space to PCRE2 only
    } else {
      out_ += fmt::format("[^{}]", kSpaceItems);
    }
  }

  void hex_escape() {
    if (peek(1) == 'u') {
      const std::string_view digits = in_.substr(at_ + 2, 4);
      const bool good = digits.size() == 4 && std::all_of(digits.begin(), digits.end(), [](char c) {
                          return std::isxdigit(static_cast<unsigned char>(c));
                        });
      if (!good) return fail("a \\u escape without four digits");
      out_ += fmt::format("\\x{{{}}}", digits);
      at_ += 6;
      return;
    }
    const size_t close = in_.find('}', at_);
    if (peek(2) != '{' || close == std::string_view::npos || close - at_ > 11)
      return fail("a \\x escape without braces");
    copy(close + 1 - at_);
  }

  void escape(bool in_class) {
    const char c = peek(1);
    if (c == 'p' || c == 'P') return property(c == 'P', in_class);
    if (c == 's' || c == 'S') return space(c == 'S', in_class);
    if (c == 'x' || c == 'u') return hex_escape();
    if (c == 'd' || c == 'D' || c == 'r' || c == 'n' || c == 't' || c == 'f') return copy(2);
    if (c == '\0') return fail("a backslash at its end");
    if (std::isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 0x80)
      return fail(fmt::format("the escape \\{}", c));
    copy(2);
  }

  void char_class_of_pattern() {
    copy(1);
    if (peek() == '^') copy(1);
    if (peek() == ']') return fail("a class that begins with ]");
    while (at_ < in_.size() && peek() != ']' && problem_.empty()) {
      if (peek() == '[') return fail("a class inside a class");
      if (looking_at("&&")) return fail("an intersection of classes");
      if (peek() == '\\') {
        escape(true);
      } else {
        copy(1);
      }
    }
    if (peek() != ']') return fail("an unclosed class");
    copy(1);
  }

  void open_group() {
    bool any_case = false;
    if (!looking_at("(?")) {
      out_ += "(?:";
      at_ += 1;
    } else if (looking_at("(?i:")) {
      any_case = true;
      copy(4);
    } else if (looking_at("(?:") || looking_at("(?=") || looking_at("(?!") || looking_at("(?>")) {
      copy(3);
    } else if (looking_at("(?<=") || looking_at("(?<!")) {
      copy(4);
    } else {
      return fail(fmt::format("the group \"{:.6}\"", in_.substr(at_)));
    }
    case_groups_.push_back(any_case ? at_ : std::string_view::npos);
  }

  void close_group() {
    if (case_groups_.empty()) return fail("an unopened group");
    if (case_groups_.back() != std::string_view::npos)
      check_any_case(in_.substr(case_groups_.back(), at_ - case_groups_.back()));
    case_groups_.pop_back();
    copy(1);
  }

  // Case-insensitive text may hold ASCII letters that no multi-character fold can produce.
  void check_any_case(std::string_view body) {
    std::string lower;
    for (const char c : body) {
      if (static_cast<unsigned char>(c) >= 0x80) return fail("a case-insensitive character beyond ASCII");
      lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    for (const std::string_view pair : kMultiCharacterFolds) {
      if (lower.find(pair) != std::string::npos) return fail(fmt::format("a case-insensitive \"{}\"", pair));
    }
  }

  // {2}, {1,3}, {2,} and, in Oniguruma, {,3}. A plus behind it repeats there and is possessive here.
  void interval() {
    const size_t close = in_.find('}', at_);
    if (close == std::string_view::npos) return fail("an unescaped {");
    const std::string_view body = in_.substr(at_ + 1, close - at_ - 1);
    const bool good = !body.empty() && std::isdigit(static_cast<unsigned char>(body.front())) &&
                      body.size() < 12 && body.find_first_not_of("0123456789,") == std::string_view::npos &&
                      std::count(body.begin(), body.end(), ',') <= 1;
    if (!good) return fail(fmt::format("the interval {{{:.20}}}", body));
    copy(close + 1 - at_);
    if (peek() == '+' || peek() == '?') fail("a quantifier behind an interval");
  }

  std::string_view in_;
  size_t at_ = 0;
  std::string out_;
  std::string problem_;
  std::vector<size_t> case_groups_;  // where the body of an open (?i: begins; npos for other groups
};

}  // namespace

Result<std::string> translate_pattern(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace glyph
