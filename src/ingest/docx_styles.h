// What styles.xml and numbering.xml say about paragraphs: which are headings, and which number or bullet stands before them.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "glyph/status.h"

namespace glyph {

constexpr int kListLevels = 9;

struct ParagraphStyle {
  std::string based_on;
  int outline_level = -1;  // 0 = heading 1; -1: none of its own
  std::string list;        // numbering id, "" for none
  int list_level = -1;
};

class DocxStyles {
 public:
  Status parse(std::string_view part, std::string_view xml, int max_depth);
  // The style with what it inherits. Unknown ids give an empty style.
  ParagraphStyle resolve(const std::string& style_id) const;

 private:
  std::map<std::string, ParagraphStyle> styles_;
};

struct ListLevel {
  std::string format;  // "bullet", "decimal", "lowerLetter", ...
  std::string text;    // "%1.%2" with the numbers of the levels
  int start = 1;
};

// Counts list items as they come.
class DocxNumbering {
 public:
  Status parse(std::string_view part, std::string_view xml, int max_depth);
  // The marker of the next paragraph of a list at a level ("2.1.", "-"); "" when the list is unknown or has none.
  std::string next_marker(const std::string& list, int level);

 private:
  friend class NumberingHandler;
  struct AbstractList {
    std::array<ListLevel, kListLevels> levels;
    std::array<int, kListLevels> counters{};  // shared by the lists made from it, as Word does
    std::array<bool, kListLevels> started{};
  };
  std::map<std::string, AbstractList> abstract_;
  std::map<std::string, std::string> lists_;            // numbering id -> abstract id
  std::map<std::string, std::map<int, int>> restarts_;  // numbering id -> level -> first number, once
};

// A number in a format of numbering.xml: 3 -> "3", "c", "III", "三".
std::string format_list_number(int number, std::string_view format);

}  // namespace glyph
