// DocxBody: the stream of elements of document.xml, footnotes.xml or endnotes.xml -> text.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/docx_styles.h"
#include "ingest/xml_stream.h"

namespace glyph {

// A reference to a footnote or endnote, in order of appearance: its number in the text is its position + 1.
struct NoteReference {
  bool is_endnote = false;
  std::string id;
};

class DocxBody : public XmlHandler {
 public:
  DocxBody(const DocxStyles& styles, DocxNumbering& numbering) : styles_(styles), numbering_(numbering) {}

  void start(std::string_view name, const XmlAttributes& attributes) override;
  void end(std::string_view name) override;
  void text(std::string_view utf8) override;

  const std::string& body_text() const { return flows_.front(); }
  const std::vector<NoteReference>& references() const { return references_; }
  // Notes of a notes part by their id.
  const std::map<std::string, std::string>& notes() const { return notes_; }
  size_t num_pictures() const { return num_pictures_; }

 private:
  struct Paragraph {
    std::string text;
    std::string style;
    std::string list;
    int list_level = -1;
    int outline_level = -1;
    bool mark_deleted = false;  // the paragraph runs on into the next one
    std::string after;          // of its text boxes
  };
  struct Table {
    std::vector<std::string> cells;  // of the current row
  };

  void start_property(std::string_view name, const XmlAttributes& attributes);
  void start_content(std::string_view name, const XmlAttributes& attributes);
  void put(std::string_view text);
  void end_paragraph();
  void end_row();
  void end_cell();
  std::string pop_flow();
  std::string& flow() { return flows_.back(); }

  const DocxStyles& styles_;
  DocxNumbering& numbering_;
  std::vector<std::string> flows_{1};   // text so far of the body, a cell, a text box, a note; innermost last
  std::vector<Paragraph> paragraphs_;   // open ones; a text box opens one inside another
  std::vector<Table> tables_;           // open ones
  std::vector<NoteReference> references_;
  std::map<std::string, std::string> notes_;
  std::string note_id_;
  std::string carried_;        // text of a paragraph whose mark is deleted
  int skip_ = 0;               // depth inside an element that is left out
  int properties_ = 0;         // depth of w:pPr: nothing inside opens or closes a flow, a table or a paragraph
  bool hidden_ = false;        // the current run is not shown
  bool in_text_ = false;       // inside w:t or m:t
  size_t num_pictures_ = 0;
};

}  // namespace glyph
