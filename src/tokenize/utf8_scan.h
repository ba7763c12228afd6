// Finds and repairs ill-formed UTF-8 at the speed of a tokenizer: no character is decoded twice.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace glyph {

// How many bytes from `begin` on are well-formed.
size_t well_formed_bytes(std::string_view text, size_t begin);

// The text itself when it is well-formed; else its repair in `storage`: U+FFFD for each maximal subpart.
std::string_view repair_utf8(std::string_view text, std::string& storage);

}  // namespace glyph
