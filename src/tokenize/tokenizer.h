// Text <-> token ids: any byte-level BPE tokenizer.json, with the ids of Hugging Face `tokenizers` exactly.
//
// Supported: model BPE (merges as strings or pairs, ignore_merges), added tokens (special, normalized,
// lstrip, rstrip, single_word), normalizers null, NFC, NFD, NFKC, NFKD and sequences of them, pre-tokenizers
// ByteLevel, Split, Digits and sequences of them that end in ByteLevel, decoder ByteLevel. Anything else is
// refused by name. The post-processor is ignored: control tokens around a text are the prompt builder's work
// (tokenize/prompt.h).
//
// Text is UTF-8; an ill-formed sequence is read as U+FFFD for each maximal subpart, as Python's
// errors="replace" does. A Tokenizer is immutable after loading: any thread may call it. Reference:
// huggingface/tokenizers 0.22.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"

namespace glyph {

class Tokenizer {
 public:
  // Reads tokenizer.json of a model directory. kNotFound, or kRefused naming what is damaged or not
  // supported.
  static Result<Tokenizer> load(const std::filesystem::path& dir);
  // The same from text; `where` names the source in messages.
  static Result<Tokenizer> parse(std::string_view json, const std::string& where);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Ids of a text in which added tokens ("<|user|>") are recognised: for text that we wrote.
  std::vector<int32_t> encode(std::string_view text) const;
  // Ids of a text that a user wrote: no added token, special or not, ever comes out, whatever the text
  // spells.
  std::vector<int32_t> encode_plain(std::string_view text) const;
  // As encode_plain, appending to `ids`.
  void append_plain(std::string_view text, std::vector<int32_t>& ids) const;

  // The text of ids, ill-formed bytes as U+FFFD. Ids outside the vocabulary add nothing, nor do special
  // tokens if skipped.
  std::string decode(std::span<const int32_t> ids, bool skip_special = true) const;
  // The bytes one id stands for; half a character is possible. Empty outside the vocabulary.
  std::string_view token_bytes(int32_t id) const;

  // By the spelling in tokenizer.json ("<|user|>", "Ġthe").
  std::optional<int32_t> token_id(std::string_view token) const;
  std::optional<std::string> id_to_token(int32_t id) const;
  // Is the id an added token, and one marked special?
  bool is_added(int32_t id) const;
  bool is_special(int32_t id) const;
  // One more than the highest id.
  int32_t vocab_size() const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace glyph
