// The printable alphabet in which byte-level BPE writes bytes: 188 bytes are themselves, the others are
// U+0100 and up ("Ġ" is a space). Reference: bytes_char in huggingface/tokenizers, bytes_to_unicode in GPT-2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace glyph {

// The byte a character of the alphabet stands for.
std::optional<uint8_t> byte_of_character(uint32_t code_point);

// The bytes of a token's spelling; nothing when a character is not in the alphabet.
std::optional<std::string> bytes_of_spelling(std::string_view spelling);

// The spelling of bytes.
std::string spelling_of_bytes(std::string_view bytes);

}  // namespace glyph
