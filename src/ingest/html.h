// HTML -> the text a browser would show, in order.
#pragma once

#include <string>
#include <string_view>

#include "ingest/limits.h"

namespace glyph {

// `html` is UTF-8. Scripts, styles, the head, hidden and embedded elements are left out; block elements begin a new line,
// paragraphs, headings and lists a blank line; list items get "- " or their number, cells of a table row stand between " | ".
// Never fails: what is malformed is read the way browsers read it, as far as text goes. Elements nested deeper than
// limits.nesting are read as if they stood at that depth.
std::string html_to_text(std::string_view html, const IngestLimits& limits);

// The charset that a `<meta>` in the first KiB names; "" for none.
std::string html_declared_charset(std::string_view bytes);

}  // namespace glyph
