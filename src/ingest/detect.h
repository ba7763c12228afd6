// What kind of document some bytes are: their content decides, the extension only where content cannot tell.
#pragma once

#include <string_view>

#include "glyph/status.h"

namespace glyph {

enum class Format { kText, kMarkdown, kHtml, kDocx, kPdf, kImage };

// Document::format of a Format: "txt", "markdown", "html", "docx", "pdf", "image".
std::string_view format_name(Format format);

// `head` is the beginning of the file (4 KiB are enough; all of it when the file is shorter). kRefused, without the file's name,
// for formats that are recognised and not read (legacy Office, RTF, GIF, archives, programs) and for a file whose extension
// promises a format that its content is not (a .pdf without a PDF header). Any ZIP archive counts as kDocx: its reader says
// what is missing.
Result<Format> detect_format(std::string_view name, std::string_view head);

}  // namespace glyph
