#include "ingest/detect.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace glyph {
namespace {

using std::literals::string_view_literals::operator""sv;

constexpr size_t kPdfHeaderWindow = 1024;  // a PDF may begin with this much of something else

std::string extension_of(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || name.find('/', dot) != std::string_view::npos) return "";
  std::string extension(name.substr(dot + 1));
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return extension;
}

template <size_t N>
bool is_one_of(std::string_view word, const std::string_view (&list)[N]) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

// Beginnings of formats that are recognised only to say so.
struct Foreign {
  std::string_view magic;
  std::string_view what;
};

constexpr Foreign kForeign[] = {
    {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv, "a legacy or encrypted Office file; save it as an unencrypted DOCX or as a PDF"},
    {"{\\rtf"sv, "an RTF file; save it as DOCX or PDF"},
    {"GIF8"sv, "a GIF picture; save it as PNG"},
    {"II*\0"sv, "a TIFF picture; save it as PNG"},
    {"MM\0*"sv, "a TIFF picture; save it as PNG"},
    {"\x1F\x8B"sv, "a gzip archive; unpack it first"},
    {"7z\xBC\xAF\x27\x1C"sv, "a 7z archive; unpack it first"},
    {"\xFD""7zXZ\0"sv, "an xz archive; unpack it first"},
    {"\x28\xB5\x2F\xFD"sv, "a zstd archive; unpack it first"},
    {"BZh"sv, "a bzip2 archive; unpack it first"},
    {"Rar!\x1A\x07"sv, "a RAR archive; unpack it first"},
    {"\x7F""ELF"sv, "a program, not a document"},
    {"MZ\x90\0"sv, "a program, not a document"},
    {"SQLite format 3\0"sv, "a database, not a document"},
    {"%!PS"sv, "a PostScript file; save it as PDF"},
    {"AT&TFORM"sv, "a DjVu file; save it as PDF"},
};

bool is_image(std::string_view head) {
  return head.starts_with("\x89PNG\r\n\x1A\n") || head.starts_with("\xFF\xD8\xFF") ||
         (head.starts_with("RIFF") && head.substr(0, 12).ends_with("WEBP"));
}

// The first visible characters, in lower case, of a text in ASCII or in UTF-16 with ASCII in it.
std::string first_letters(std::string_view head) {
  std::string letters;
  for (const char c : head.substr(0, 512)) {
    const bool is_space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
    if (c == '\0' || (static_cast<uint8_t>(c) >= 0x80 && letters.empty()) || (is_space && letters.empty())) continue;
    letters += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return letters;
}

bool is_html(std::string_view head) {
  const std::string letters = first_letters(head);
  return letters.starts_with("<!doctype html") || letters.starts_with("<html") || letters.starts_with("<head");
}

Status not_what_it_says(std::string_view what, std::string_view sign) {
  return refused(fmt::format("it is not a {} although its name says so: {}", what, sign));
}

}  // namespace

std::string_view format_name(Format format) {
  switch (format) {
    case Format::kText: return "txt";
    case Format::kMarkdown: return "markdown";
    case Format::kHtml: return "html";
    case Format::kDocx: return "docx";
    case Format::kPdf: return "pdf";
    case Format::kImage: return "image";
  }
  return "";
}

Result<Format> detect_format(std::string_view name, std::string_view head) {
  static constexpr std::string_view kMarkdownNames[] = {"md", "markdown", "mdown", "mkd"};
  static constexpr std::string_view kHtmlNames[] = {"html", "htm", "xhtml"};
  static constexpr std::string_view kImageNames[] = {"png", "jpg", "jpeg", "webp"};
  static constexpr std::string_view kDocxNames[] = {"docx", "docm", "dotx"};
  const std::string extension = extension_of(name);
  if (head.starts_with("%PDF-")) return Format::kPdf;
  if (head.starts_with("PK\x03\x04") || head.starts_with("PK\x05\x06")) return Format::kDocx;
  if (is_image(head)) return Format::kImage;
  for (const Foreign& foreign : kForeign) {
    if (head.starts_with(foreign.magic)) return refused(fmt::format("it is {}", foreign.what));
  }
  if (extension == "pdf") {
    if (head.substr(0, kPdfHeaderWindow).find("%PDF-") != std::string_view::npos) return Format::kPdf;
    return not_what_it_says("PDF", "the header %PDF- is missing");
  }
  if (is_one_of(extension, kDocxNames)) return not_what_it_says("DOCX", "it is no ZIP archive");
  if (is_one_of(extension, kImageNames)) return not_what_it_says("picture", "it has no PNG, JPEG or WebP header");
  if (is_one_of(extension, kMarkdownNames)) return Format::kMarkdown;
  if (is_one_of(extension, kHtmlNames) || is_html(head)) return Format::kHtml;
  return Format::kText;
}

}  // namespace glyph
