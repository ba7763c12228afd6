// Story: source text -> paragraphs of 30 source lines, cleaned and cut into fragments as ReportLab's paragraph parser does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "glyph/page_style.h"
#include "render/char_table.h"
#include "render/newline_markup.h"

namespace glyph {

constexpr uint32_t kNoSource = 0xFFFFFFFF;

// One character to be set. White space is always a single kSpaceSlot.
struct TextChar {
  uint32_t slot = 0;
  uint32_t source = 0;  // byte offset in the story's text
};

// A run of characters between two tags or entities, or a line break.
struct Fragment {
  uint32_t begin = 0, end = 0;  // into ParagraphText::chars
  uint8_t color = 0;            // index into Story::colors()
  bool is_break = false;
};

struct ParagraphText {
  std::vector<TextChar> chars;
  std::vector<Fragment> fragments;
};

class Story {
 public:
  static constexpr int kLinesAParagraph = 30;

  Story(std::string_view text, const PageStyle& style, const std::vector<MarkupPiece>& markup, CharTable& chars);

  // Fills `out` with the next paragraph; false after the last. A text without any line still has one empty paragraph.
  bool next(ParagraphText& out);

  // Index 0 is the style's font colour.
  const std::vector<Color>& colors() const { return colors_; }

 private:
  struct Piece {  // a MarkupPiece with slots and a colour index
    MarkupPiece::Kind kind;
    std::vector<uint32_t> code_points;
    uint8_t color;
  };

  void add_line(std::string_view line, size_t offset);
  void add_spaces();
  void add_markup(size_t offset);
  void put_char(uint32_t slot, size_t offset);
  void put_plain(const char* data, size_t size, size_t offset);
  void put_fragment_char(uint32_t slot, size_t offset, uint8_t color);
  void put_space(size_t offset);
  void flush_space();
  void end_fragment();

  std::string_view text_;
  CharTable& table_;
  std::vector<Piece> markup_;
  std::vector<Color> colors_;
  size_t position_ = 0;
  bool done_ = false;

  // State inside next():
  ParagraphText* out_ = nullptr;
  uint32_t open_ = 0;           // first character of the fragment being filled
  uint8_t color_ = 0;
  bool started_ = false;        // something other than white space was put
  bool space_pending_ = false;
  uint32_t space_source_ = 0;
  std::vector<size_t> spaces_;  // offsets of the spaces of the current run
};

// True when the text has a character of U+4E00..U+9FFF: it is then wrapped by the CJK rule.
bool has_cjk(std::string_view text);

}  // namespace glyph
