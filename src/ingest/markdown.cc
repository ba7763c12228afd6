#include "ingest/markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "ingest/plain_text.h"

namespace glyph {
namespace {

constexpr size_t kMaxIndent = 20;          // spaces kept before a list marker
constexpr size_t kMaxFrontMatter = 200;    // lines
constexpr size_t kCodeIndent = 4;

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Columns of white space at the beginning; a tab goes to the next multiple of four.
size_t indent_of(std::string_view line) {
  size_t columns = 0;
  for (const char c : line) {
    if (c == ' ') {
      ++columns;
    } else if (c == '\t') {
      columns += 4 - columns % 4;
    } else {
      break;
    }
  }
  return columns;
}

std::string_view drop_indent(std::string_view line, size_t columns) {
  size_t i = 0;
  for (size_t seen = 0; i < line.size() && seen < columns && (line[i] == ' ' || line[i] == '\t'); ++i) seen += line[i] == '\t' ? 4 : 1;
  return line.substr(i);
}

bool is_rule(std::string_view line) {
  const std::string_view body = trim(line);
  if (body.empty() || (body[0] != '-' && body[0] != '*' && body[0] != '_')) return false;
  const auto count = std::count(body.begin(), body.end(), body[0]);
  const auto blanks = std::count_if(body.begin(), body.end(), [](char c) { return c == ' ' || c == '\t'; });
  return count >= 3 && static_cast<size_t>(count + blanks) == body.size();
}

// All of one character: the underline of a setext heading.
bool is_underline(std::string_view line) {
  const std::string_view body = trim(line);
  return !body.empty() && (body[0] == '=' || body[0] == '-') && body.find_first_not_of(body[0]) == std::string_view::npos;
}

// "|---|:--:|": what makes the line above a table's head.
bool is_table_ruler(std::string_view line) {
  const std::string_view body = trim(line);
  return body.find('-') != std::string_view::npos && body.find('|') != std::string_view::npos &&
         body.find_first_not_of("|-: \t") == std::string_view::npos;
}

// Length of a list marker with its spaces ("- ", "12. "), 0 for none. `line` has no indent.
size_t list_marker(std::string_view line) {
  size_t i = 0;
  if (!line.empty() && (line[0] == '-' || line[0] == '*' || line[0] == '+')) {
    i = 1;
  } else {
    while (i < line.size() && i < 9 && line[i] >= '0' && line[i] <= '9') ++i;
    if (i == 0 || i >= line.size() || (line[i] != '.' && line[i] != ')')) return 0;
    ++i;
  }
  const size_t spaces = std::min(line.find_first_not_of(" \t", i), line.size()) - i;
  return spaces == 0 ? 0 : i + spaces;
}

struct Fence {
  char character = 0;
  size_t length = 0;
  size_t indent = 0;
};

// A line of three or more '`' or '~'. A fence of backticks has none after it.
Fence fence_of(std::string_view line) {
  const std::string_view body = trim(line);
  if (body.size() < 3 || (body[0] != '`' && body[0] != '~')) return {};
  const size_t length = std::min(body.find_first_not_of(body[0]), body.size());
  if (length < 3 || (body[0] == '`' && body.find('`', length) != std::string_view::npos)) return {};
  return {body[0], length, indent_of(line)};
}

std::vector<std::string> split_cells(std::string_view row) {
  row = trim(row);
  if (row.starts_with('|')) row.remove_prefix(1);
  if (row.ends_with('|') && !row.ends_with("\\|")) row.remove_suffix(1);
  std::vector<std::string> cells(1);
  bool in_code = false;
  for (size_t i = 0; i < row.size(); ++i) {
    if (row[i] == '\\' && i + 1 < row.size() && row[i + 1] == '|') {
      cells.back() += row[++i];
    } else if (row[i] == '|' && !in_code) {
      cells.emplace_back();
    } else {
      in_code ^= row[i] == '`';
      cells.back() += row[i];
    }
  }
  return cells;
}

// "[label]: address" into `links`; false when the line is none.
bool read_definition(std::string_view line, LinkDefinitions& links) {
  const std::string_view body = trim(line);
  if (indent_of(line) >= kCodeIndent || !body.starts_with('[') || body.starts_with("[^")) return false;
  const size_t close = body.find("]:");
  if (close == std::string_view::npos || close < 2) return false;
  std::string_view address = trim(body.substr(close + 2));
  address = address.substr(0, address.find_first_of(" \t"));
  if (address.starts_with('<') && address.ends_with('>')) address = address.substr(1, address.size() - 2);
  if (address.empty()) return false;
  links.emplace(link_label(body.substr(1, close - 1)), address);
  return true;
}

class MarkdownReader {
 public:
  explicit MarkdownReader(std::string_view text) : lines_(split_lines(text)) {}

  std::string read();

 private:
  void collect_definitions();
  void front_matter();
  void line(std::string_view text);
  bool fenced_line(std::string_view text);
  bool comment_line(std::string_view text);
  bool heading(std::string_view text);
  bool list_item(std::string_view text);
  bool table();
  void paragraph_line(std::string_view text);
  void flush();
  void blank() { out_ += '\n'; }
  void put_line(std::string_view text) { out_.append(text) += '\n'; }

  std::vector<std::string_view> lines_;
  size_t at_ = 0;
  LinkDefinitions links_;
  Fence fence_;
  bool in_comment_ = false;
  bool in_list_ = false;
  bool hard_break_ = false;
  std::string prefix_;     // list marker of the open paragraph
  std::string paragraph_;
  std::string out_;
};

void MarkdownReader::flush() {
  if (!paragraph_.empty() || !prefix_.empty()) put_line(prefix_ + markdown_inline(paragraph_, links_));
  paragraph_.clear();
  prefix_.clear();
  hard_break_ = false;
}

void MarkdownReader::collect_definitions() {
  Fence fence;
  for (const std::string_view text : lines_) {
    const Fence found = fence_of(text);
    if (fence.length == 0) {
      fence = found;
    } else if (found.character == fence.character && found.length >= fence.length) {
      fence = {};
    }
    if (fence.length == 0) read_definition(text, links_);
  }
}

void MarkdownReader::front_matter() {
  if (lines_.empty() || trim(lines_[0]) != "---") return;
  const size_t limit = std::min(lines_.size(), kMaxFrontMatter);
  for (size_t end = 1; end < limit; ++end) {
    if (trim(lines_[end]) != "---" && trim(lines_[end]) != "...") continue;
    for (size_t i = 1; i < end; ++i) put_line(lines_[i]);
    blank();
    at_ = end + 1;
    return;
  }
}

bool MarkdownReader::fenced_line(std::string_view text) {
  const Fence found = fence_of(text);
  if (fence_.length == 0) {
    if (found.length == 0 || (found.indent >= kCodeIndent && !in_list_)) return false;
    flush();
    fence_ = found;
    return true;
  }
  const bool closes = found.character == fence_.character && found.length >= fence_.length &&
                      trim(text).find_first_not_of(found.character) == std::string_view::npos;
  if (closes) {
    fence_ = {};
  } else {
    put_line(drop_indent(text, fence_.indent));
  }
  return true;
}

// A comment that runs over several lines; one within a line is left to markdown_inline.
bool MarkdownReader::comment_line(std::string_view text) {
  if (!in_comment_) {
    in_comment_ = trim(text).starts_with("<!--") && text.find("-->") == std::string_view::npos;
    return in_comment_;
  }
  const size_t end = text.find("-->");
  if (end == std::string_view::npos) return true;
  in_comment_ = false;
  line(text.substr(end + 3));
  return true;
}

bool MarkdownReader::heading(std::string_view text) {
  const std::string_view body = trim(text);
  const size_t level = std::min(body.find_first_not_of('#'), body.size());
  if (level == 0 || level > 6 || (level < body.size() && body[level] != ' ' && body[level] != '\t')) return false;
  flush();
  std::string_view words = trim(body.substr(level));
  const size_t last = words.find_last_not_of('#');
  const bool is_closed = last == std::string_view::npos || (last + 1 < words.size() && words[last] == ' ');
  if (is_closed) words = trim(words.substr(0, last == std::string_view::npos ? 0 : last + 1));
  blank();
  put_line(markdown_inline(words, links_));
  in_list_ = false;
  return true;
}

bool MarkdownReader::list_item(std::string_view text) {
  const std::string_view body = trim(text);
  const size_t length = list_marker(body);
  if (length == 0) return false;
  flush();
  const std::string_view marker = trim(body.substr(0, length));
  prefix_.assign(std::min(indent_of(text), kMaxIndent), ' ');
  prefix_.append(marker == "*" || marker == "+" ? "-" : marker) += ' ';
  in_list_ = true;
  paragraph_line(body.substr(length));
  return true;
}

bool MarkdownReader::table() {
  const bool has_head = lines_[at_].find('|') != std::string_view::npos && at_ + 1 < lines_.size() && is_table_ruler(lines_[at_ + 1]);
  if (!has_head) return false;
  flush();
  for (size_t row = 0; at_ < lines_.size() && lines_[at_].find('|') != std::string_view::npos; ++at_, ++row) {
    if (row == 1) continue;
    std::vector<std::string> cells = split_cells(lines_[at_]);
    for (std::string& cell : cells) cell = markdown_inline(trim(cell), links_);
    put_line(fmt::format("{}", fmt::join(cells, " | ")));
  }
  --at_;  // the caller moves on
  return true;
}

void MarkdownReader::paragraph_line(std::string_view text) {
  const bool breaks = text.ends_with("  ") || text.ends_with('\\');
  std::string_view words = trim(text);
  if (words.ends_with('\\')) words.remove_suffix(1);
  if (hard_break_) {
    paragraph_.append("\n").append(words);
  } else {
    join_line(paragraph_, words);
  }
  hard_break_ = breaks;
}

void MarkdownReader::line(std::string_view text) {
  if (trim(text).empty()) {
    flush();
    return blank();
  }
  const bool is_open = !paragraph_.empty();
  if (indent_of(text) >= kCodeIndent && !is_open && !in_list_) return put_line(text);
  while (indent_of(text) < kCodeIndent && trim(text).starts_with('>')) {
    text = text.substr(text.find('>') + 1);
    if (text.starts_with(' ')) text.remove_prefix(1);
  }
  if (is_open && prefix_.empty() && is_underline(text)) {
    blank();
    return flush();
  }
  if (is_rule(text)) {
    flush();
    return blank();
  }
  if (heading(text) || list_item(text)) return;
  LinkDefinitions ignored;
  if (!is_open && read_definition(text, ignored)) return;
  if (!is_open && trim(text).starts_with("[^")) flush();
  if (indent_of(text) == 0 && !is_open) in_list_ = false;
  paragraph_line(text);
}

std::string MarkdownReader::read() {
  collect_definitions();
  front_matter();
  for (; at_ < lines_.size(); ++at_) {
    const std::string_view text = lines_[at_];
    if (fenced_line(text) || comment_line(text) || table()) continue;
    line(text);
  }
  flush();
  return tidy_lines(out_);
}

}  // namespace

std::string markdown_to_text(std::string_view markdown) { return MarkdownReader(markdown).read(); }

}  // namespace glyph
