// Finds added tokens ("<|user|>") in a text. Reference: AddedVocabulary in huggingface/tokenizers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glyph {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;      // a control token; decode may leave it out
  bool normalized = false;   // looked for in the normalized text
  bool single_word = false;  // not inside a word
  bool lstrip = false;       // takes the white space on its left
  bool rstrip = false;       // and on its right
};

// A part of a text: ordinary (id -1) or one added token.
struct Segment {
  std::string_view text;
  int32_t id = -1;
};

// Leftmost-longest search for a fixed set of tokens. Any thread may search.
class AddedTokenFinder {
 public:
  AddedTokenFinder() = default;
  explicit AddedTokenFinder(std::vector<AddedToken> tokens);

  bool empty() const { return tokens_.empty(); }
  // Cuts `text` (well-formed UTF-8) and appends its parts.
  void split(std::string_view text, std::vector<Segment>& segments) const;

 private:
  // The longest token that begins at `at`; nullptr when none does.
  const AddedToken* longest_at(std::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;     // sorted by content
  std::array<uint32_t, 257> first_{};  // tokens that begin with byte b: first_[b] .. first_[b + 1]
};

}  // namespace glyph
