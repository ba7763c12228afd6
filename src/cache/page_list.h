// The file that says which pages a document has: one line each, so that what is kept of them can go with the document.
//
//   glyph pages 1
//   <64 hexadecimal digits> ...
//   end <number of pages> <checksum of the lines before, 16 hexadecimal digits>
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "glyph/status.h"

namespace glyph {

constexpr size_t kMaxListedPages = 100000;

std::string page_list_text(const std::vector<Digest>& pages);
// kRefused: another version, damaged, or more than kMaxListedPages.
Result<std::vector<Digest>> parse_page_list(std::string_view text);

// 64 hexadecimal digits, lower case; false when `text` is something else.
bool parse_hex(std::string_view text, Digest& digest);

}  // namespace glyph
