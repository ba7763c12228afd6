#include "ingest/docx.h"

#include <fmt/format.h>

#include "ingest/docx_body.h"
#include "ingest/docx_package.h"
#include "ingest/docx_styles.h"
#include "ingest/plain_text.h"
#include "ingest/xml_stream.h"

namespace glyph {
namespace {

class DocxReader {
 public:
  DocxReader(DocxPackage package, const IngestLimits& limits) : package_(std::move(package)), max_depth_(limits.nesting) {}

  Result<DocxText> read();

 private:
  // Reads a part the document refers to with `parse(part, xml)`; a part that is missing is a warning.
  template <typename Parse>
  Status read_related(std::string_view type, Parse parse);
  Status append_notes(const std::vector<NoteReference>& references);

  DocxPackage package_;
  int max_depth_;
  DocxText result_;
};

template <typename Parse>
Status DocxReader::read_related(std::string_view type, Parse parse) {
  const std::string part = package_.related(type);
  if (part.empty()) return {};
  if (!package_.contains(part)) {
    result_.warnings.push_back(fmt::format("the part {} is missing and was left out", clean_text(part.substr(0, 100))));
    return {};
  }
  GLYPH_ASSIGN_OR_RETURN(const std::string xml, package_.read(part));
  return parse(part, xml);
}

Status DocxReader::append_notes(const std::vector<NoteReference>& references) {
  if (references.empty()) return {};
  const DocxStyles no_styles;
  DocxNumbering no_numbering;
  DocxBody footnotes(no_styles, no_numbering);
  DocxBody endnotes(no_styles, no_numbering);
  GLYPH_RETURN_IF_ERROR(read_related("footnotes", [&](auto& part, auto& xml) { return parse_xml(part, xml, max_depth_, footnotes); }));
  GLYPH_RETURN_IF_ERROR(read_related("endnotes", [&](auto& part, auto& xml) { return parse_xml(part, xml, max_depth_, endnotes); }));
  result_.text += '\n';
  for (size_t i = 0; i < references.size(); ++i) {
    const auto& notes = references[i].is_endnote ? endnotes.notes() : footnotes.notes();
    const auto note = notes.find(references[i].id);
    if (note != notes.end()) result_.text += fmt::format("[{}] {}\n", i + 1, note->second);
  }
  return {};
}

Result<DocxText> DocxReader::read() {
  DocxStyles styles;
  DocxNumbering numbering;
  GLYPH_RETURN_IF_ERROR(read_related("styles", [&](auto& part, auto& xml) { return styles.parse(part, xml, max_depth_); }));
  GLYPH_RETURN_IF_ERROR(read_related("numbering", [&](auto& part, auto& xml) { return numbering.parse(part, xml, max_depth_); }));
  DocxBody body(styles, numbering);
  {
    GLYPH_ASSIGN_OR_RETURN(const std::string xml, package_.read(package_.document_part()));
    GLYPH_RETURN_IF_ERROR(parse_xml(package_.document_part(), xml, max_depth_, body));
  }
  result_.text = body.body_text();
  GLYPH_RETURN_IF_ERROR(append_notes(body.references()));
  result_.text = tidy_lines(clean_text(result_.text));
  if (body.num_pictures() > 0) {
    result_.warnings.push_back(fmt::format("{} pictures in it were left out", body.num_pictures()));
  }
  return std::move(result_);
}

}  // namespace

Result<DocxText> read_docx(std::string_view bytes, const IngestLimits& limits) {
  GLYPH_ASSIGN_OR_RETURN(DocxPackage package, DocxPackage::open(bytes, limits));
  return DocxReader(std::move(package), limits).read();
}

}  // namespace glyph
