#include "tokenize/gpt_split.h"

#include <array>
#include <cstdint>

#include "tokenize/char_class.h"

namespace glyph {
namespace {

constexpr std::string_view kGpt4Text =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt4SingleDigitsText =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kGpt2Text =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

constexpr uint32_t kLongS = 0x17F;  // folds to "s"

constexpr std::array<CharClass, 128> make_ascii_classes() {
  std::array<CharClass, 128> classes{};
  for (int c = 0; c < 128; ++c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) classes[c] = CharClass::kLetter;
    if (c >= '0' && c <= '9') classes[c] = CharClass::kNumber;
    if (c == ' ' || (c >= '\t' && c <= '\r')) classes[c] = CharClass::kSpace;
  }
  return classes;
}

constexpr std::array<CharClass, 128> kAsciiClasses = make_ascii_classes();

struct Character {
  uint32_t value;
  uint32_t length;  // bytes
  CharClass kind;
};

// Decodes without checks: the text is well-formed.
inline Character read(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(text[at + i])); };
  const uint32_t first = byte(0);
  if (first < 0x80) return {first, 1, kAsciiClasses[first]};
  uint32_t value = 0, length = 0;
  if (first < 0xE0) {
    value = (first & 0x1F) << 6 | (byte(1) & 0x3F);
    length = 2;
  } else if (first < 0xF0) {
    value = (first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    length = 3;
  } else {
    value = (first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    length = 4;
  }
  return {value, length, char_class(value)};
}

size_t skip_class(std::string_view text, size_t at, CharClass kind) {
  while (at < text.size()) {
    const Character c = read(text, at);
    if (c.kind != kind) break;
    at += c.length;
  }
  return at;
}

inline bool is_newline(char c) { return c == '\r' || c == '\n'; }
inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// The end of a contraction whose apostrophe stands at `at`; `at` when there is none.
size_t skip_contraction(std::string_view text, size_t at, bool any_case) {
  if (at + 1 >= text.size()) return at;
  const auto letter = [&](size_t i) {
    return at + i < text.size() ? (any_case ? lower(text[at + i]) : text[at + i]) : '\0';
  };
  const char first = letter(1), second = letter(2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return at + 2;
  if ((first == 'r' || first == 'v') && second == 'e') return at + 3;
  if (first == 'l' && second == 'l') return at + 3;
  if (any_case && static_cast<uint8_t>(first) >= 0x80 && read(text, at + 1).value == kLongS) return at + 3;
  return at;
}

// \s+(?!\S)|\s+ : all of a run at the end of the text, else all but its last character, else that one.
size_t end_of_space(size_t begin, size_t end, size_t last, size_t size) {
  if (end == size || last == begin) return end;
  return last;
}

struct SpaceRun {
  size_t end;            // past the run
  size_t last;           // where its last character begins
  size_t after_newline;  // past its last \r or \n; 0 when it has none
};

SpaceRun read_space_run(std::string_view text, size_t at) {
  SpaceRun run{at, at, 0};
  while (run.end < text.size()) {
    const Character c = read(text, run.end);
    if (c.kind != CharClass::kSpace) break;
    run.last = run.end;
    run.end += c.length;
    if (c.length == 1 && is_newline(text[run.last])) run.after_newline = run.end;
  }
  return run;
}

size_t skip_digits(std::string_view text, size_t at, int max_digits) {
  for (int count = 0; count < max_digits && at < text.size(); ++count) {
    const Character c = read(text, at);
    if (c.kind != CharClass::kNumber) break;
    at += c.length;
  }
  return at;
}

// The tail of " ?[^\s\p{L}\p{N}]+[\r\n]*" from its first character after the space.
size_t skip_symbols(std::string_view text, size_t at) {
  at = skip_class(text, at, CharClass::kOther);
  while (at < text.size() && is_newline(text[at])) ++at;
  return at;
}

size_t next_gpt4(std::string_view text, size_t begin, int max_digits) {
  const Character first = read(text, begin);
  const size_t second_at = begin + first.length;
  if (first.kind == CharClass::kLetter) return skip_class(text, second_at, CharClass::kLetter);
  if (first.kind == CharClass::kNumber) return skip_digits(text, begin, max_digits);
  if (first.value == '\'') {
    const size_t end = skip_contraction(text, begin, true);
    if (end != begin) return end;
  }
  const bool has_second = second_at < text.size();
  const CharClass second = has_second ? read(text, second_at).kind : CharClass::kSpace;
  if (has_second && second == CharClass::kLetter && !is_newline(text[begin]))
    return skip_class(text, second_at, CharClass::kLetter);
  if (first.kind == CharClass::kOther) return skip_symbols(text, begin);
  if (first.value == ' ' && has_second && second == CharClass::kOther) return skip_symbols(text, second_at);
  const SpaceRun run = read_space_run(text, begin);
  if (run.after_newline != 0) return run.after_newline;
  return end_of_space(begin, run.end, run.last, text.size());
}

size_t next_gpt2(std::string_view text, size_t begin) {
  const Character first = read(text, begin);
  if (first.value == '\'') {
    const size_t end = skip_contraction(text, begin, false);
    if (end != begin) return end;
  }
  if (first.kind != CharClass::kSpace) return skip_class(text, begin + first.length, first.kind);
  const size_t second_at = begin + 1;
  if (first.value == ' ' && second_at < text.size()) {
    const Character second = read(text, second_at);
    if (second.kind != CharClass::kSpace) return skip_class(text, second_at + second.length, second.kind);
  }
  const SpaceRun run = read_space_run(text, begin);
  return end_of_space(begin, run.end, run.last, text.size());
}

}  // namespace

std::optional<GptPattern> recognize_gpt_pattern(std::string_view pattern) {
  for (const GptPattern known : {GptPattern::kGpt4, GptPattern::kGpt4SingleDigits, GptPattern::kGpt2}) {
    if (pattern == pattern_text(known)) return known;
  }
  return std::nullopt;
}

std::string_view pattern_text(GptPattern pattern) {
  switch (pattern) {
    case GptPattern::kGpt4:
      return kGpt4Text;
    case GptPattern::kGpt4SingleDigits:
      return kGpt4SingleDigitsText;
    case GptPattern::kGpt2:
      return kGpt2Text;
  }
  return {};
}

size_t next_gpt_piece(GptPattern pattern, std::string_view text, size_t begin) {
  switch (pattern) {
    case GptPattern::kGpt4:
      return next_gpt4(text, begin, 3);
    case GptPattern::kGpt4SingleDigits:
      return next_gpt4(text, begin, 1);
    case GptPattern::kGpt2:
      return next_gpt2(text, begin);
  }
  return text.size();
}

}  // namespace glyph
