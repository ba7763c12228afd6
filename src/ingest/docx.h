// DOCX -> text: headings, paragraphs, lists with their numbers, tables as rows, footnotes. Called by glyph-extract only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "glyph/status.h"
#include "ingest/limits.h"

namespace glyph {

struct DocxText {
  std::string text;                   // UTF-8, '\n' line ends
  std::vector<std::string> warnings;  // one sentence each, without the file's name
};

// Reads a whole DOCX. Paragraphs end with '\n', a heading has a blank line before it, cells of a row stand between " | ",
// a footnote is "[1]" in the text and a line "[1] ..." at the end. What the document shows is what counts: deleted text, hidden
// text, field codes, comments, page headers and footers are left out; inserted text and text boxes are kept.
// kRefused, without the file's name: no ZIP, no DOCX, a limit, a missing part, a forbidden path, a DOCTYPE, broken XML.
Result<DocxText> read_docx(std::string_view bytes, const IngestLimits& limits);

}  // namespace glyph
