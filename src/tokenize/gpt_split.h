// Hand-written matchers for the patterns most byte-level BPE models use, equal to the regular expressions on
// every input.
//
// "GPT-4 family" (cl100k, Llama 3, GLM-4 with groups of 1 to 3 digits; Qwen 2 with single digits):
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
//   ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// "GPT-2" (ByteLevel with use_regex):
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Both cover every character, so a text is cut into matches without gaps.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace glyph {

enum class GptPattern { kGpt4, kGpt4SingleDigits, kGpt2 };

// The matcher for a pattern as tokenizer.json spells it; nothing when it is not one of these.
std::optional<GptPattern> recognize_gpt_pattern(std::string_view pattern);
std::string_view pattern_text(GptPattern pattern);

// The end of the match that begins at `begin` (< text.size()). `text` is well-formed UTF-8.
size_t next_gpt_piece(GptPattern pattern, std::string_view text, size_t begin);

}  // namespace glyph
