// Line breaking. Three wrappers, one for each way ReportLab breaks a paragraph:
//   SimpleWrapper   one fragment, words at spaces          (Paragraph.breakLines, simple case)
//   ComplexWrapper  several fragments, words at spaces     (Paragraph.breakLines, general case)
//   CjkWrapper      a break after almost any character     (Paragraph.breakLinesCJK)
// Each can be cut after some lines; the rest is wrapped again, exactly as ReportLab does when a paragraph crosses a page,
// because wrapping again changes lines in some cases. All sums keep ReportLab's order: equal doubles, equal breaks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "render/char_table.h"
#include "render/story.h"

namespace glyph {

// Consecutive characters of one colour, or (begin == kNoSource) one space that is in no source.
struct LineRun {
  uint32_t begin = 0, end = 0;  // into the paragraph's chars
  uint8_t color = 0;

  bool is_space() const { return begin == kNoSource; }
};

struct Line {
  uint32_t run_begin = 0, run_end = 0;  // into WrappedLines::runs
  double extra_space = 0;               // points left over; negative: spaces must shrink
  int word_count = 0;                   // ReportLab's count of stretchable gaps + 1, no-break spaces not counted
  bool is_break = false;                // ended by a line break: not justified
  bool is_blank = false;                // a break and nothing before it
  uint32_t first_word = 0;              // where a cut before this line starts the rest
};

struct WrappedLines {
  bool complex = false;  // ReportLab's kind 1: its drawing rules differ in detail
  std::vector<Line> lines;
  std::vector<LineRun> runs;

  void clear() {
    lines.clear();
    runs.clear();
  }
};

struct LineWidths {
  double first = 0, later = 0;  // points
  double of(size_t line) const { return line == 0 ? first : later; }
};

// What the wrappers share: the characters and their widths. Set once a paragraph.
struct WrapContext {
  const CharTable* table = nullptr;
  const CharBuffer* chars = nullptr;

  // Words beyond this many characters are longer than any line and are measured only so far: a file may be one word.
  static constexpr uint32_t kMaxMeasured = 200'000;

  double width(uint32_t begin, uint32_t end) const {
    if (end - begin > kMaxMeasured) end = begin + kMaxMeasured;
    double sum = 0;
    for (uint32_t i = begin; i < end; ++i) sum += table->width_1000((*chars)[i].slot);
    return table->width(sum);
  }
  double char_width(uint32_t slot) const { return table->char_width(slot); }
  bool is(uint32_t index, uint32_t slot) const { return (*chars)[index].slot == slot; }
};

// Appends [begin, end) to the line being built at the end of `runs`, joining what is adjacent.
void append_run(std::vector<LineRun>& runs, size_t line_start, uint32_t begin, uint32_t end, uint8_t color);
// Appends a space; takes the source's own when the characters go on with one.
void append_space(std::vector<LineRun>& runs, size_t line_start, const WrapContext& context);

class SimpleWrapper {
 public:
  void start(const WrapContext& context, const Fragment& fragment);
  // Wraps until the text ends or `max_lines` lines exist.
  void wrap(const LineWidths& widths, size_t max_lines, WrappedLines& out);
  // Keeps what follows the first `line` lines of the last wrap; gives their words to `head` unless that is null.
  void cut(size_t line, const WrappedLines& wrapped, SimpleWrapper* head);
  // Whether the last wrap split a word: lines cut off may then break in another way when they are wrapped again.
  bool has_parts() const { return has_parts_; }

 private:
  enum class Kind : uint8_t { kPlain, kPart, kLastPart };  // parts of a word longer than a line
  struct Word {
    uint32_t begin = 0, end = 0;
    Kind kind = Kind::kPlain;
  };

  bool next(Word* word);
  void split_word(const Word& word, double line_width, const LineWidths& widths, size_t line, size_t max_lines);
  void requeue(std::vector<Word> words);

  WrapContext context_;
  uint8_t color_ = 0;
  uint32_t source_ = 0, source_end_ = 0;  // characters not yet cut into words
  std::vector<Word> pending_;             // words to be taken before those, last first
  std::vector<Word> done_;                // words in the order they were placed
  bool has_parts_ = false;
};

class ComplexWrapper {
 public:
  void start(const WrapContext& context, const std::vector<Fragment>& fragments);
  void wrap(const LineWidths& widths, size_t max_lines, WrappedLines& out);
  void cut(size_t line, const WrappedLines& wrapped, ComplexWrapper* head);
  bool has_parts() const { return has_parts_; }

 private:
  struct Piece {
    uint32_t begin = 0, end = 0;
    uint8_t color = 0;
  };
  enum Flags : uint8_t {
    kBreak = 1,         // a line break
    kSpaceAfter = 2,    // ReportLab's _HSFrag
    kPart = 4,          // _SplitFrag: a part of a word longer than a line
    kLastPartBare = 8,  // _SplitFragH: its last part, no space after it
    kInjected = 16,     // _InjectedFrag: a break put after the first part
  };
  struct Word {
    double width = 0;  // points
    uint32_t piece_begin = 0, piece_end = 0;
    uint8_t flags = 0;
  };
  class LineBuilder;

  void make_words(const std::vector<Fragment>& fragments);
  void close_word(uint32_t piece_begin, double width, uint8_t flags);
  void add_piece(uint32_t begin, uint32_t end, uint8_t color) { pieces_.push_back({begin, end, color}); }
  bool next(Word* word);
  void split_word(const Word& word, double first_width, const LineWidths& widths, size_t line, size_t max_lines);
  // ReportLab's _getFragWords on words that were wrapped before: joins parts, drops injected breaks.
  void rejoin(const std::vector<Word>& from, std::vector<Word>& to);
  Word join_parts(const std::vector<Word>& parts);
  void requeue(std::vector<Word> words);

  WrapContext context_;
  std::vector<Piece> pieces_;
  std::vector<Word> words_;    // as cut from the fragments
  size_t taken_ = 0;           // of words_
  std::vector<Word> pending_;  // taken before words_, last first
  std::vector<Word> done_;     // in the order they were placed (ReportLab's FW)
  bool has_parts_ = false;
};

class CjkWrapper {
 public:
  void start(const WrapContext& context, const std::vector<Fragment>& fragments);
  void wrap(const LineWidths& widths, WrappedLines& out);
  void cut(size_t line, const WrappedLines& wrapped);

 private:
  struct Unit {
    uint32_t index = 0;  // into chars; kNoSource: a space of no source, or nothing (a break before its first cut)
    uint32_t slot = 0;
    uint8_t color = 0;
    bool is_break = false;
    bool is_empty = false;  // a break that has no text yet
  };

  double width(const Unit& unit) const { return unit.is_empty ? 0 : context_.char_width(unit.slot); }
  uint32_t code(const Unit& unit) const { return context_.table->code_point(unit.slot); }
  bool look_back(size_t line_start, size_t* next, double* extra, double* width_back, size_t* unit) const;
  void emit(size_t begin, size_t end, WrappedLines& out, Line line, bool strip);
  bool is_one_fragment(size_t line, const WrappedLines& wrapped) const;

  WrapContext context_;
  bool single_ = false;         // one fragment: ReportLab's textsplit.dumbSplit, which strips lines
  bool stripped_last_ = false;  // whether the last wrap stripped its last line
  std::vector<Unit> units_;
};

}  // namespace glyph
