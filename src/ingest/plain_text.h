// What every reader does to text last: one shape of text for the rest of the program.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace glyph {

// Valid UTF-8 with '\n' line ends: ill-formed sequences become U+FFFD; CR LF, CR, U+0085, U+2028 become '\n', form feed and
// U+2029 a blank line; NUL, the other control characters, U+FEFF and noncharacters go.
std::string clean_text(std::string_view text);

// The text without spaces at line ends, blank lines at its ends, and more than one blank line in a row.
std::string tidy_lines(std::string_view text);

// The lines that are not blank, without their indent, joined by a separator: what a table cell holds.
std::string on_one_line(std::string_view text, std::string_view separator);

// Scripts written without spaces between words (Han, kana, CJK punctuation, full-width forms): lines join without a space.
bool is_unspaced(uint32_t code_point);

// Appends the next line of the same paragraph, with a space between the two where their scripts want one.
void join_line(std::string& paragraph, std::string_view line);

// The last code point of valid UTF-8, 0 for an empty text.
uint32_t last_code_point(std::string_view text);

}  // namespace glyph
