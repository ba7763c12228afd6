// Story: source text -> paragraphs of 30 source lines, cleaned and cut into fragments as ReportLab's paragraph parser does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "glyph/page_style.h"
#include "render/char_table.h"
#include "render/newline_markup.h"

namespace glyph {

constexpr uint32_t kNoSource = 0xFFFFFFFF;

// One character to be set. White space is always a single kSpaceSlot.
struct TextChar {
  uint32_t slot;
  uint32_t source;  // byte offset in the story's text
};

// A vector that does not clear what it is about to overwrite.
class CharBuffer {
 public:
  size_t size() const { return size_; }
  const TextChar* data() const { return data_.get(); }
  const TextChar& operator[](size_t i) const { return data_[i]; }
  void clear() { size_ = 0; }

  // Makes room for `count` more; the caller fills them.
  TextChar* extend(size_t count) {
    if (size_ + count > capacity_) grow(size_ + count);
    TextChar* const begin = data_.get() + size_;
    size_ += count;
    return begin;
  }
  void push_back(TextChar value) { *extend(1) = value; }

 private:
  void grow(size_t size);

  std::unique_ptr<TextChar[]> data_;
  size_t size_ = 0, capacity_ = 0;
};

// A run of characters between two tags or entities, or a line break.
struct Fragment {
  uint32_t begin = 0, end = 0;  // into ParagraphText::chars
  uint8_t color = 0;            // index into Story::colors()
  bool is_break = false;
  bool has_nbsp = false;        // a no-break space is among the characters
};

struct ParagraphText {
  CharBuffer chars;
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
  bool has_nbsp_ = false;       // in the fragment being filled
  bool started_ = false;        // something other than white space was put
  bool space_pending_ = false;
  uint32_t space_source_ = 0;
  std::vector<size_t> spaces_;  // offsets of the spaces of the current run
};

// True when the text has a character of U+4E00..U+9FFF: it is then wrapped by the CJK rule.
bool has_cjk(std::string_view text);

}  // namespace glyph
