// Markdown -> the text a reader of the rendered page would see.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace glyph {

// `markdown` is UTF-8 with '\n' line ends. Markers of headings, emphasis, quotes, code and HTML tags go; words, code, list
// markers and numbers stay; lines of a paragraph are joined; cells of a table row stand between " | "; a link is its text,
// followed by its address in parentheses when that is absolute. Never fails.
std::string markdown_to_text(std::string_view markdown);

// Link label (lower case) -> address, from the definitions of a document.
using LinkDefinitions = std::map<std::string, std::string>;

// One paragraph, heading or cell with its inline markup resolved.
std::string markdown_inline(std::string_view text, const LinkDefinitions& links);

// The key of a label in LinkDefinitions.
std::string link_label(std::string_view label);

}  // namespace glyph
