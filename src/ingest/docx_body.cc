#include "ingest/docx_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "ingest/plain_text.h"

namespace glyph {
namespace {

// Elements left out with all they contain: deletions, old properties, field codes, fallbacks, phonetic guides.
constexpr std::string_view kSkipped[] = {
    "w:del",        "w:moveFrom",   "w:delText",    "w:instrText",  "w:delInstrText", "mc:Fallback",     "w:pPrChange",
    "w:rPrChange",  "w:tblPrChange", "w:trPrChange", "w:tcPrChange", "w:sectPrChange", "w:rt",           "w:sectPr",
    "w:tblPr",      "w:sdtPr",
};

constexpr char kNestedRowEnd = '\x1F';  // XML cannot contain it; becomes ';' between the rows of a table in a cell

bool is_skipped(std::string_view name) {
  return std::find(std::begin(kSkipped), std::end(kSkipped), name) != std::end(kSkipped);
}

// A boolean property is on unless its value says otherwise.
bool is_on(const XmlAttributes& attributes) {
  const std::string_view value = attributes.get("val");
  return value != "false" && value != "0" && value != "off";
}

int small_int(std::string_view text) {
  int value = -1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// w:sym names a character of a symbol font by its code in the private-use area.
uint32_t symbol(std::string_view hex) {
  uint32_t code = 0;
  std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
  switch (code) {
    case 0xF0B7: case 0xF0A7: case 0xF06C: return 0x2022;  // bullets
    case 0xF0FC: case 0xF050: case 0xF052: return 0x2713;  // check marks
    case 0xF0FE: return 0x2611;
    case 0xF0A8: case 0xF06F: case 0xF071: return 0x25A1;  // empty boxes
    case 0xF0E0: case 0xF0AE: return 0x2192;
    case 0xF0B0: return 0xB0;
    case 0xF0B1: return 0xB1;
    case 0xF0B4: return 0xD7;
    case 0xF0A3: return 0x2264;
    case 0xF0B3: return 0x2265;
    default: return code >= 0x20 && (code < 0xE000 || code > 0xF8FF) ? code : kReplacementCharacter;
  }
}

}  // namespace

std::string DocxBody::pop_flow() {
  std::string text = std::move(flows_.back());
  flows_.pop_back();
  return text;
}

void DocxBody::put(std::string_view text) {
  if (!paragraphs_.empty() && !hidden_) paragraphs_.back().text += text;
}

void DocxBody::start(std::string_view name, const XmlAttributes& attributes) {
  if (skip_ > 0) {
    ++skip_;
    return;
  }
  if (properties_ > 0 && name == "w:del" && !paragraphs_.empty()) paragraphs_.back().mark_deleted = true;
  if (is_skipped(name)) {
    skip_ = 1;
    return;
  }
  if (name == "w:pPr") ++properties_;
  if (properties_ > 0) {
    start_property(name, attributes);
  } else {
    start_content(name, attributes);
  }
}

void DocxBody::start_property(std::string_view name, const XmlAttributes& attributes) {
  if (paragraphs_.empty()) return;
  Paragraph& paragraph = paragraphs_.back();
  const std::string_view value = attributes.get("val");
  if (name == "w:pStyle") {
    paragraph.style = value;
  } else if (name == "w:outlineLvl") {
    paragraph.outline_level = small_int(value);
  } else if (name == "w:numId") {
    paragraph.list = value;
  } else if (name == "w:ilvl") {
    paragraph.list_level = small_int(value);
  }
}

void DocxBody::start_content(std::string_view name, const XmlAttributes& attributes) {
  if (name == "w:p") {
    paragraphs_.emplace_back();
    hidden_ = false;
  } else if (name == "w:r") {
    hidden_ = false;
  } else if (name == "w:vanish" || name == "w:webHidden") {
    hidden_ = is_on(attributes);
  } else if (name == "w:t" || name == "m:t") {
    in_text_ = true;
  } else if (name == "w:tab" || name == "w:ptab") {
    put("\t");
  } else if (name == "w:br" || name == "w:cr") {
    put(attributes.get("type") == "page" ? "\n\n" : "\n");
  } else if (name == "w:noBreakHyphen") {
    put("-");
  } else if (name == "w:sym") {
    std::string character;
    append_utf8(character, symbol(attributes.get("char")));
    put(character);
  } else if (name == "w:footnoteReference" || name == "w:endnoteReference") {
    references_.push_back({name == "w:endnoteReference", std::string(attributes.get("id"))});
    put(fmt::format("[{}]", references_.size()));
  } else if (name == "w:tbl") {
    tables_.emplace_back();
  } else if (name == "w:tc" || name == "w:txbxContent") {
    flows_.emplace_back();
  } else if (name == "w:footnote" || name == "w:endnote") {
    flows_.emplace_back();
    note_id_ = attributes.get("id");
  } else if (name == ":blip" || name == ":imagedata") {
    ++num_pictures_;
  }
}

void DocxBody::end(std::string_view name) {
  if (skip_ > 0) {
    --skip_;
    return;
  }
  if (properties_ > 0) {
    if (name == "w:pPr") --properties_;
  } else if (name == "w:p") {
    if (!paragraphs_.empty()) end_paragraph();
  } else if (name == "w:t" || name == "m:t") {
    in_text_ = false;
  } else if (name == "w:r") {
    hidden_ = false;
  } else if (name == "w:tc") {
    end_cell();
  } else if (name == "w:tr") {
    end_row();
  } else if (name == "w:tbl") {
    if (tables_.size() == 1) flow() += '\n';
    if (!tables_.empty()) tables_.pop_back();
  } else if (name == "w:txbxContent") {
    const std::string text = pop_flow();
    (paragraphs_.empty() ? flow() : paragraphs_.back().after) += text;
  } else if (name == "w:footnote" || name == "w:endnote") {
    notes_[note_id_] = on_one_line(pop_flow(), " ");
  }
}

void DocxBody::text(std::string_view utf8) {
  if (skip_ == 0 && in_text_) put(utf8);
}

void DocxBody::end_paragraph() {
  Paragraph paragraph = std::move(paragraphs_.back());
  paragraphs_.pop_back();
  paragraph.text.insert(0, carried_);
  carried_.clear();
  if (paragraph.mark_deleted) {
    carried_ = std::move(paragraph.text);
    return;
  }
  const ParagraphStyle style = styles_.resolve(paragraph.style);
  const std::string& list = paragraph.list.empty() ? style.list : paragraph.list;
  const int level = std::clamp(std::max(paragraph.list_level, style.list_level), 0, kListLevels - 1);
  const int outline = paragraph.outline_level >= 0 ? paragraph.outline_level : style.outline_level;
  const bool is_heading = outline >= 0 && outline < 9;
  const bool is_empty = paragraph.text.find_first_not_of(" \t\n") == std::string::npos;

  std::string& out = flow();
  if (is_heading && !is_empty && !out.empty() && !out.ends_with("\n\n")) out += '\n';
  if (!list.empty() && list != "0" && !is_empty) {
    const std::string marker = numbering_.next_marker(list, level);
    if (!is_heading) out.append(2 * static_cast<size_t>(level), ' ');
    if (!marker.empty()) out.append(marker) += ' ';
  }
  out.append(paragraph.text) += '\n';
  out += paragraph.after;
}

void DocxBody::end_cell() {
  if (flows_.size() < 2) return;
  std::string text = on_one_line(pop_flow(), " ");
  if (text.ends_with(kNestedRowEnd)) text.pop_back();
  for (size_t at = text.find(kNestedRowEnd); at != std::string::npos; at = text.find(kNestedRowEnd, at)) text[at] = ';';
  if (!tables_.empty()) tables_.back().cells.push_back(text);
}

// A row becomes a line; a row of a table inside a cell becomes a phrase of that cell.
void DocxBody::end_row() {
  if (tables_.empty()) return;
  std::vector<std::string> cells = std::move(tables_.back().cells);
  tables_.back().cells.clear();
  const bool is_empty = std::all_of(cells.begin(), cells.end(), [](const std::string& cell) { return cell.empty(); });
  if (is_empty) return;
  const bool is_nested = tables_.size() > 1;
  flow() += fmt::format("{}", fmt::join(cells, is_nested ? ", " : " | "));
  if (is_nested) flow() += kNestedRowEnd;
  flow() += '\n';
}

}  // namespace glyph
