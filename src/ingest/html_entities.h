// Character references of HTML: the names of HTML 4, a few of HTML 5, and numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace glyph {

struct CharacterReference {
  uint32_t value = 0;  // code point
  size_t length = 0;   // bytes of the reference, ';' included; 0: it is none
};

// `text` begins with '&'. A name needs its ';' unless it is one of those that old pages leave it out of (amp, lt, gt, quot,
// nbsp, copy, reg). Numbers 128 to 159 mean windows-1252, as browsers read them.
CharacterReference resolve_reference(std::string_view text);

}  // namespace glyph
