#include "ingest/page_region.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "ingest/plain_text.h"

namespace glyph {
namespace {

constexpr float kCellGapEm = 1.3f;      // a wider gap between words starts a new segment
constexpr float kBreakGapEm = 0.6f;     // so does this one where poppler sees no space: another block begins
constexpr float kSpaceEm = 0.2f;        // a wider gap is a space even when poppler saw none
constexpr float kUnspacedGapEm = 0.4f;  // as kSpaceEm between Han characters, which justified lines spread
constexpr size_t kMaxUtf8 = 4;           // bytes of one character
constexpr float kIndentEm = 0.8f;       // a line that starts this much to the right of the last one starts a paragraph
constexpr float kSameSize = 0.2f;       // relative difference of heights within a paragraph
constexpr float kParagraphGap = 1.3f;   // of the usual distance of lines
constexpr float kBlankLineGap = 1.7f;   // of the usual distance of lines
constexpr float kReflowEm = 14;         // narrower columns keep their lines

// One line of a column: one segment of prose, or the cells of a row.
struct Line {
  std::vector<PageSegment> cells;
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  float left = 0, right = 0;  // edges of the block of lines it belongs to

  bool is_row() const { return cells.size() > 1; }
  float height() const { return y1 - y0; }
  float first_word() const { return cells.front().first_word; }
};

float common_height(float a0, float a1, float b0, float b1) { return std::min(a1, b1) - std::max(a0, b0); }

bool continues_segment(const PageSegment& segment, const PageWord& word, bool space_before) {
  const float least = std::min(segment.height(), word.y1 - word.y0);
  const float gap = word.x0 - segment.x1;
  return common_height(segment.y0, segment.y1, word.y0, word.y1) > 0.5f * least && gap > -0.5f * segment.height() &&
         gap < (space_before ? kCellGapEm : kBreakGapEm) * segment.height();
}

void append_word(PageSegment& segment, const PageWord& word, bool space_before) {
  const std::string text = expand_ligatures(word.text);
  const float em = segment.height();
  const bool unspaced = is_unspaced(last_code_point(segment.text)) && is_unspaced(decode_utf8(text, 0).value);
  const float gap = word.x0 - segment.x1;
  // Spread lines come as words of one character; a gap between longer words is a space.
  const bool is_long = text.size() > kMaxUtf8;
  const bool has_space = unspaced ? gap > kUnspacedGapEm * em || (space_before && is_long && segment.last_is_long)
                                  : space_before || gap > kSpaceEm * em;
  if (!segment.text.empty() && has_space) segment.text += ' ';
  segment.text += text;
  segment.last_is_long = is_long;
  segment.x1 = std::max(segment.x1, word.x1);
  segment.y0 = std::min(segment.y0, word.y0);
  segment.y1 = std::max(segment.y1, word.y1);
}

// Puts the cells in order, and cells with no more than a space between them together: words that were listed apart.
void merge_near_cells(Line& line) {
  std::stable_sort(line.cells.begin(), line.cells.end(), [](const auto& a, const auto& b) { return a.x0 < b.x0; });
  std::vector<PageSegment> merged;
  for (PageSegment& cell : line.cells) {
    if (merged.empty() || cell.x0 - merged.back().x1 > kBreakGapEm * line.height()) {
      merged.push_back(std::move(cell));
      continue;
    }
    join_line(merged.back().text, cell.text);
    merged.back().x1 = std::max(merged.back().x1, cell.x1);
  }
  line.cells = std::move(merged);
}

// A justified line of few words looks like a row: it is prose when the line above or below it is prose with the same edges.
void mend_stretched_lines(std::vector<Line>& lines) {
  const auto is_like = [](const Line& row, const Line& line) {
    return !line.is_row() && std::abs(row.x1 - line.x1) < 0.5f * row.height() && line.y0 - row.y0 < 3 * row.height() &&
           row.y0 - line.y0 < 3 * row.height();
  };
  for (size_t i = 0; i < lines.size(); ++i) {
    Line& row = lines[i];
    const bool above = i > 0 && is_like(row, lines[i - 1]);
    const bool below = i + 1 < lines.size() && is_like(row, lines[i + 1]);
    if (!row.is_row() || (!above && !below)) continue;
    for (size_t k = 1; k < row.cells.size(); ++k) join_line(row.cells[0].text, row.cells[k].text);
    row.cells.resize(1);
    row.cells[0].x1 = row.x1;
  }
}

// Segments that share a height of the page, left to right.
std::vector<Line> make_lines(const std::vector<PageSegment>& segments) {
  std::vector<Line> lines;
  for (const PageSegment& segment : segments) {
    const bool joins = !lines.empty() && common_height(lines.back().y0, lines.back().y1, segment.y0, segment.y1) >
                                             0.5f * std::min(lines.back().height(), segment.height());
    if (!joins) lines.push_back({{}, segment.x0, segment.y0, segment.x1, segment.y1, 0, 0});
    Line& line = lines.back();
    line.cells.push_back(segment);
    line.x0 = std::min(line.x0, segment.x0);
    line.x1 = std::max(line.x1, segment.x1);
    line.y1 = std::max(line.y1, segment.y1);
  }
  for (Line& line : lines) merge_near_cells(line);
  mend_stretched_lines(lines);
  return lines;
}

std::string_view first_word_of(std::string_view text) { return text.substr(0, text.find(' ')); }

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

// "1." "12)" "(a)" "[7]"
bool is_number_marker(std::string_view word) {
  if (word.size() < 2 || word.size() > 5) return false;
  const char last = word.back();
  if (last != '.' && last != ')' && last != ']') return false;
  const bool opens = word[0] == '(' || word[0] == '[';
  const std::string_view inner = word.substr(opens, word.size() - 1 - opens);
  if (inner.empty()) return false;
  const bool digits = std::all_of(inner.begin(), inner.end(), is_ascii_digit);
  const bool letter = inner.size() == 1 && ((inner[0] | 0x20) >= 'a' && (inner[0] | 0x20) <= 'z') && last != '.';
  return digits || letter;
}

bool is_list_marker(std::string_view word) {
  static constexpr std::string_view kBullets[] = {"•", "◦", "▪", "●", "○", "■", "□", "–", "—", "-", "*", "·", "➢", "✓", "‣"};
  return is_number_marker(word) || std::find(std::begin(kBullets), std::end(kBullets), word) != std::end(kBullets);
}

// Distance of the tops of neighbouring lines that occurs most: the median.
float usual_distance(const std::vector<Line>& lines) {
  std::vector<float> distances;
  for (size_t i = 1; i < lines.size(); ++i) distances.push_back(lines[i].y0 - lines[i - 1].y0);
  if (distances.empty()) return 0;
  std::nth_element(distances.begin(), distances.begin() + static_cast<ptrdiff_t>(distances.size() / 2), distances.end());
  return distances[distances.size() / 2];
}

bool is_lower_ascii(char c) { return c >= 'a' && c <= 'z'; }

bool is_alphanumeric(char c) { return is_ascii_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); }

// Bytes of the hyphen at the end of a line, 0 for none.
size_t hyphen_length(std::string_view line) {
  switch (last_code_point(line)) {
    case '-': return 1;
    case 0xAD: return 2;
    case 0x2010: return 3;
    default: return 0;
  }
}

// True when a word runs from the end of one line to the beginning of the next.
bool is_divided(std::string_view line, std::string_view next) {
  const size_t length = hyphen_length(line);
  if (length == 0 || line.size() <= length || next.empty()) return false;
  return length == 2 || (is_lower_ascii(line[line.size() - length - 1]) && is_lower_ascii(next[0]));
}

constexpr std::string_view kLeader = " . . .";

// The dots between a title and its page number, cut down to three.
std::string shorten_leaders(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && (text[end] == '.' || (text[end] == ' ' && end + 1 < text.size() && text[end + 1] == '.'))) ++end;
    if (std::count(text.begin() + static_cast<ptrdiff_t>(i), text.begin() + static_cast<ptrdiff_t>(end), '.') > 4) {
      out += text[i] == ' ' ? " ..." : "...";
      i = end;
    } else {
      out += text[i++];
    }
  }
  return out;
}

// Appends a line to the paragraph; a word divided by a hyphen becomes whole.
void join_divided(std::string& paragraph, std::string_view line) {
  const size_t length = hyphen_length(paragraph);
  if (!is_divided(paragraph, line)) {
    const bool is_range = length > 0 && paragraph.size() > length && is_alphanumeric(paragraph[paragraph.size() - length - 1]) &&
                          !line.empty() && is_alphanumeric(line[0]);
    if (!is_range) return join_line(paragraph, line);
    paragraph += line;  // "1998-" and "1999"
    return;
  }
  const std::string_view word = std::string_view(paragraph).substr(paragraph.find_last_of(" \n") + 1);
  const bool is_compound = word.substr(0, word.size() - length).find('-') != std::string_view::npos;  // --like-this
  if (!is_compound || length == 2) paragraph.resize(paragraph.size() - length);
  paragraph += line;
}

class ColumnWriter {
 public:
  ColumnWriter(const std::vector<PageSegment>& segments, std::string& out)
      : lines_(make_lines(segments)), out_(out), distance_(usual_distance(lines_)) {
    find_blocks();
  }

  void write();

 private:
  void find_blocks();
  bool in_one_block(const Line& above, const Line& line) const;
  bool continues(const Line& above, const Line& line) const;
  bool is_table_row(size_t i) const;
  void write_line(size_t i);

  std::vector<Line> lines_;
  std::string& out_;
  std::string paragraph_;
  float distance_;
};

// Lines of the same size at the usual distance.
bool ColumnWriter::in_one_block(const Line& above, const Line& line) const {
  const float em = std::max(above.height(), line.height());
  return !above.is_row() && !line.is_row() && std::abs(above.height() - line.height()) <= kSameSize * em &&
         line.y0 - above.y0 <= std::min(kParagraphGap * distance_, 3 * em);
}

void ColumnWriter::find_blocks() {
  for (size_t begin = 0, end = 0; begin < lines_.size(); begin = end) {
    float left = lines_[begin].x0;
    float right = lines_[begin].x1;
    for (end = begin + 1; end < lines_.size() && in_one_block(lines_[end - 1], lines_[end]); ++end) {
      left = std::min(left, lines_[end].x0);
      right = std::max(right, lines_[end].x1);
    }
    for (size_t i = begin; i < end; ++i) lines_[i].left = left, lines_[i].right = right;
  }
}

// True when `line` is the next line of the paragraph that `above` belongs to: same size, usual distance, not indented, no list
// item, and its first word did not fit above.
bool ColumnWriter::continues(const Line& above, const Line& line) const {
  const float em = std::max(above.height(), line.height());
  if (!in_one_block(above, line) || line.right - line.left < kReflowEm * em) return false;
  if (is_list_marker(first_word_of(line.cells.front().text))) return false;
  if (above.cells.front().text.find(kLeader) != std::string::npos) return false;  // an entry of a table of contents
  if (is_divided(above.cells.front().text, line.cells.front().text)) return true;
  const bool is_item = is_list_marker(first_word_of(above.cells.front().text));
  if (!is_item && line.x0 > above.x0 + kIndentEm * em) return false;
  const bool unspaced = is_unspaced(decode_utf8(line.cells.front().text, 0).value);
  const float needed = unspaced ? 2 * em : line.first_word() + 0.25f * em;
  return above.x1 + needed > line.right;
}

bool ColumnWriter::is_table_row(size_t i) const {
  const auto is_row = [&](size_t k) { return k < lines_.size() && lines_[k].is_row(); };
  return is_row(i) && (is_row(i + 1) || (i > 0 && is_row(i - 1)));
}

void ColumnWriter::write_line(size_t i) {
  const Line& line = lines_[i];
  const bool blank = i > 0 && distance_ > 0 && line.y0 - lines_[i - 1].y0 > kBlankLineGap * distance_;
  if (i > 0 && continues(lines_[i - 1], line)) {
    join_divided(paragraph_, line.cells.front().text);
    return;
  }
  if (!paragraph_.empty()) out_.append(paragraph_) += '\n';
  if (blank) out_ += '\n';
  paragraph_.clear();
  const std::string_view separator = is_table_row(i) ? " | " : "  ";
  for (const PageSegment& cell : line.cells) {
    if (&cell != &line.cells.front()) paragraph_ += separator;
    paragraph_ += shorten_leaders(cell.text);
  }
}

void ColumnWriter::write() {
  for (size_t i = 0; i < lines_.size(); ++i) write_line(i);
  if (!paragraph_.empty()) out_.append(paragraph_) += '\n';
}

// A hostile file can put words anywhere, NaN included.
bool is_placed(const PageWord& word) {
  const auto sane = [](float v) { return std::abs(v) < 1e6f; };
  return sane(word.x0) && sane(word.y0) && sane(word.x1) && sane(word.y1) && word.y1 > word.y0;
}

}  // namespace

std::vector<PageSegment> make_segments(const std::vector<PageWord>& words) {
  std::vector<PageSegment> segments;
  bool space_before = false;
  for (const PageWord& word : words) {
    if (word.rotation != 0 || word.text.empty() || !is_placed(word)) continue;
    if (segments.empty() || !continues_segment(segments.back(), word, space_before)) {
      segments.push_back({word.x0, word.y0, word.x0, word.y1, word.x1 - word.x0, false, {}});
    }
    append_word(segments.back(), word, space_before);
    space_before = word.space_after;
  }
  return segments;
}

float median_height(const std::vector<PageSegment>& segments) {
  std::vector<float> heights;
  for (const PageSegment& segment : segments) heights.push_back(segment.height());
  std::nth_element(heights.begin(), heights.begin() + static_cast<ptrdiff_t>(heights.size() / 2), heights.end());
  return heights[heights.size() / 2];
}

void write_column(const std::vector<PageSegment>& segments, std::string& out) { ColumnWriter(segments, out).write(); }

std::string expand_ligatures(std::string_view text) {
  static constexpr std::string_view kLigatures[] = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};
  std::string out;
  for (size_t i = 0; i < text.size();) {
    // U+FB00 to U+FB06 are EF AC 80 to EF AC 86.
    const bool is_ligature = i + 2 < text.size() && text[i] == '\xEF' && text[i + 1] == '\xAC' &&
                             static_cast<uint8_t>(text[i + 2]) >= 0x80 && static_cast<uint8_t>(text[i + 2]) <= 0x86;
    if (is_ligature) {
      out += kLigatures[static_cast<uint8_t>(text[i + 2]) - 0x80];
      i += 3;
    } else {
      out += text[i++];
    }
  }
  return out;
}

}  // namespace glyph
