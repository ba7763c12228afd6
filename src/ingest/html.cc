#include "ingest/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "ingest/html_tokens.h"
#include "ingest/plain_text.h"
#include "ingest/text_flow.h"

namespace glyph {
namespace {

template <size_t N>
bool is_one_of(std::string_view word, const std::string_view (&list)[N]) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

constexpr std::string_view kHidden[] = {"head", "script", "style", "template", "noscript", "iframe", "object", "audio", "video", "canvas",
                                        "noembed", "noframes", "title", "desc", "metadata", "rt", "rp", "annotation",
                                        "annotation-xml", "datalist"};
constexpr std::string_view kLineBlocks[] = {"div", "section", "article", "header", "footer", "main", "nav", "aside", "address", "form",
                                            "fieldset", "legend", "figcaption", "dt", "dd", "summary", "option", "optgroup", "tr",
                                            "caption", "thead", "tbody", "tfoot", "body", "html", "center", "li", "text"};
constexpr std::string_view kParagraphBlocks[] = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre",
                                                 "figure", "details", "hr", "menu", "hgroup"};
constexpr std::string_view kVoid[] = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
                                      "track", "wbr"};
// A start tag of the same name ends the one before it.
constexpr std::string_view kSelfEnding[] = {"p", "li", "td", "th", "tr", "dt", "dd", "option"};

// Start tags that may stand in a head; any other one ends it.
constexpr std::string_view kHeadContent[] = {"base", "link", "meta", "noscript", "script", "style", "template", "title"};

constexpr size_t kMaxTables = 32;  // nested; a cell's text is copied once a level
constexpr size_t kLongCell = 300;  // bytes; a table whose cells hold more lays out a page rather than data

bool is_invisible(const HtmlToken& token) {
  if (token.has_attribute("hidden")) return true;
  std::string style(token.attribute("style"));
  style.erase(std::remove(style.begin(), style.end(), ' '), style.end());
  return style.find("display:none") != std::string::npos || style.find("visibility:hidden") != std::string::npos;
}

struct List {
  bool is_ordered = false;
  int number = 1;  // of the next item
};

struct Row {
  std::vector<std::string> cells;
  bool in_cell = false;
};

class HtmlText {
 public:
  HtmlText(std::string_view html, const IngestLimits& limits)
      : tokenizer_(html), max_depth_(static_cast<size_t>(std::max(limits.nesting, 1))) {}

  std::string read();

 private:
  void start(const HtmlToken& token);
  void end(const std::string& name);
  bool skip(const HtmlToken& token);
  void start_block(const HtmlToken& token);
  void start_item();
  void start_cell();
  void end_cell();
  void end_row();
  void end_tables_to(size_t depth);
  void put_text(const std::string& text);

  TextFlow& flow() { return flows_.back(); }

  HtmlTokenizer tokenizer_;
  size_t max_depth_;
  std::vector<TextFlow> flows_ = std::vector<TextFlow>(1);  // the page and the open cells, innermost last
  std::vector<Row> rows_;                                   // of the open tables
  std::vector<List> lists_;
  int pre_ = 0;              // open <pre>
  std::string hidden_;       // the element whose content is left out
  int hidden_depth_ = 0;     // of elements of that name
};

// Handles a token inside a hidden element; true when it is used up.
bool HtmlText::skip(const HtmlToken& token) {
  if (hidden_.empty()) return false;
  const bool is_same = token.name == hidden_;
  if (token.kind == HtmlToken::Kind::kStart && is_same && !token.is_self_closing) {
    if (!is_one_of(hidden_, kSelfEnding)) {
      ++hidden_depth_;
      return true;
    }
    hidden_.clear();
    return false;
  }
  if (hidden_ == "head" && token.kind == HtmlToken::Kind::kStart && !is_one_of(token.name, kHeadContent)) {
    hidden_.clear();
    return false;
  }
  if (token.kind == HtmlToken::Kind::kEnd && is_same && --hidden_depth_ == 0) hidden_.clear();
  return true;
}

void HtmlText::put_text(const std::string& text) {
  if (!hidden_.empty()) return;
  const bool in_row = !rows_.empty() && !rows_.back().in_cell;
  if (in_row && text.find_first_not_of(" \t\r\n\f") == std::string::npos) return;
  if (pre_ == 0) {
    flow().text(text);
    return;
  }
  for (size_t begin = 0; begin <= text.size();) {
    const size_t line_end = std::min(text.find('\n', begin), text.size());
    flow().verbatim(std::string_view(text).substr(begin, line_end - begin));
    if (line_end < text.size()) flow().new_line();
    begin = line_end + 1;
  }
}

void HtmlText::start_item() {
  flow().break_line();
  if (lists_.empty()) {
    flow().word("- ");
    return;
  }
  const std::string indent(2 * (std::min<size_t>(lists_.size(), 10) - 1), ' ');
  List& list = lists_.back();
  flow().word(list.is_ordered ? fmt::format("{}{}. ", indent, list.number++) : indent + "- ");
}

void HtmlText::start_cell() {
  if (rows_.empty()) return;
  end_cell();
  rows_.back().in_cell = true;
  flows_.emplace_back();
}

void HtmlText::end_cell() {
  if (rows_.empty() || !rows_.back().in_cell) return;
  rows_.back().in_cell = false;
  rows_.back().cells.push_back(tidy_lines(flow().take()));
  flows_.pop_back();
}

// A row of data becomes one line; a row that lays out the page becomes its cells one after the other.
void HtmlText::end_row() {
  if (rows_.empty()) return;
  end_cell();
  std::vector<std::string> cells = std::move(rows_.back().cells);
  rows_.back().cells.clear();
  const auto is_empty = [](const std::string& cell) { return cell.empty(); };
  if (std::all_of(cells.begin(), cells.end(), is_empty)) return;
  const bool is_layout = std::any_of(cells.begin(), cells.end(), [](const std::string& cell) { return cell.size() > kLongCell; }) ||
                         cells.size() == 1;
  flow().break_line();
  if (is_layout) {
    for (const std::string& cell : cells) {
      flow().verbatim(std::string_view(cell).substr(0, cell.size() - !cell.empty()));
      flow().break_line();
    }
    return;
  }
  for (std::string& cell : cells) cell = on_one_line(cell, " ");
  flow().verbatim(fmt::format("{}", fmt::join(cells, " | ")));
  flow().break_line();
}

void HtmlText::end_tables_to(size_t depth) {
  while (rows_.size() > depth) {
    end_row();
    rows_.pop_back();
  }
}

void HtmlText::start_block(const HtmlToken& token) {
  const std::string& name = token.name;
  if (is_one_of(name, kParagraphBlocks)) {
    const bool is_inner_list = (name == "ul" || name == "ol") && !lists_.empty();
    is_inner_list ? flow().break_line() : flow().break_block();
  } else if (is_one_of(name, kLineBlocks)) {
    flow().break_line();
  }
  if ((name == "ul" || name == "ol" || name == "menu") && lists_.size() < max_depth_) {
    List list{.is_ordered = name == "ol", .number = 1};
    const std::string_view first = token.attribute("start");
    std::from_chars(first.data(), first.data() + first.size(), list.number);
    list.number = std::clamp(list.number, -1'000'000, 1'000'000);
    lists_.push_back(list);
  }
  if (name == "pre") ++pre_;
}

void HtmlText::start(const HtmlToken& token) {
  const std::string& name = token.name;
  const bool is_void = is_one_of(name, kVoid) || token.is_self_closing;
  if (!is_void && (is_one_of(name, kHidden) || is_invisible(token))) {
    hidden_ = name;
    hidden_depth_ = 1;
  } else if (name == "br") {
    flow().new_line();
  } else if (name == "li") {
    start_item();
  } else if (name == "table") {
    start_block(token);
    if (rows_.size() < std::min(max_depth_, kMaxTables)) rows_.emplace_back();
  } else if (name == "tr") {
    rows_.empty() ? flow().break_line() : end_row();
  } else if (name == "td" || name == "th") {
    start_cell();
  } else if (name == "q") {
    flow().text("\"");
  } else {
    start_block(token);
  }
}

void HtmlText::end(const std::string& name) {
  if (name == "td" || name == "th") return end_cell();
  if (name == "tr") return end_row();
  if (name == "q") flow().verbatim("\"");
  if (name == "table" && !rows_.empty()) {
    end_tables_to(rows_.size() - 1);
  } else if ((name == "ul" || name == "ol" || name == "menu") && !lists_.empty()) {
    lists_.pop_back();
    if (!lists_.empty()) return flow().break_line();
  } else if (name == "pre" && pre_ > 0) {
    --pre_;
  }
  if (is_one_of(name, kParagraphBlocks)) {
    flow().break_block();
  } else if (is_one_of(name, kLineBlocks)) {
    flow().break_line();
  }
}

std::string HtmlText::read() {
  for (HtmlToken token = tokenizer_.next(); token.kind != HtmlToken::Kind::kFinished; token = tokenizer_.next()) {
    if (token.kind == HtmlToken::Kind::kText) {
      put_text(token.text);
    } else if (skip(token)) {
      continue;
    } else if (token.kind == HtmlToken::Kind::kStart) {
      start(token);
    } else {
      end(token.name);
    }
  }
  end_tables_to(0);
  return tidy_lines(clean_text(flows_.front().take()));
}

}  // namespace

std::string html_to_text(std::string_view html, const IngestLimits& limits) { return HtmlText(html, limits).read(); }

std::string html_declared_charset(std::string_view bytes) {
  std::string head(bytes.substr(0, 1024));
  std::transform(head.begin(), head.end(), head.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const size_t meta = head.find("<meta");
  const size_t at = meta == std::string::npos ? meta : head.find("charset=", meta);
  if (at == std::string::npos) return "";
  size_t begin = at + 8;
  if (begin < head.size() && (head[begin] == '"' || head[begin] == '\'')) ++begin;
  size_t end = begin;
  const auto is_name = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == ':'; };
  while (end < head.size() && is_name(head[end])) ++end;
  return head.substr(begin, end - begin);
}

}  // namespace glyph
