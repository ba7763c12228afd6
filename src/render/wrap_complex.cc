// The general case of ReportLab's Paragraph.breakLines: words of several fragments. Names in comments are ReportLab's.
#include <algorithm>
#include <utility>

#include "render/wrap.h"

namespace glyph {

namespace {
constexpr double kSpaceShrinkage = 0.05;
}

// The line being filled: its runs, and per fragment of it the number of spaces (they may shrink, in this order of summing).
class ComplexWrapper::LineBuilder {
 public:
  LineBuilder(const WrapContext& context, std::vector<LineRun>& runs) : context_(context), runs_(runs) {}

  bool empty() const { return !open_; }

  void clear() {
    start_ = runs_.size();
    open_ = ends_with_space_ = false;
    color_ = 0;
    spaces_.clear();
  }

  // The first piece of a word: joins the last fragment when the colour is the same.
  void add_first(const Piece& piece, bool space_before) {
    if (space_before && open_ && !ends_with_space_) {
      append_space(runs_, start_, context_);
      ++spaces_.back();
      ends_with_space_ = true;
    }
    if (!open_ || piece.color != color_) begin_fragment(piece.color);
    put(piece);
  }

  // Further pieces always are fragments of their own.
  void add_next(const Piece& piece) {
    begin_fragment(piece.color);
    put(piece);
  }

  double shrinkable(double space_width, double one_space) const {
    double sum = space_width;
    for (int count : spaces_) {
      if (count > 0) sum += count * one_space;
    }
    return sum * kSpaceShrinkage;
  }

  size_t start() const { return start_; }

 private:
  void begin_fragment(uint8_t color) {
    if (open_ && spaces_.back() == 0) spaces_.pop_back();
    open_ = true;
    color_ = color;
    ends_with_space_ = false;
    spaces_.push_back(0);
  }

  void put(const Piece& piece) {
    if (piece.begin == piece.end) return;
    append_run(runs_, start_, piece.begin, piece.end, piece.color);
    ends_with_space_ = false;
  }

  const WrapContext& context_;
  std::vector<LineRun>& runs_;
  size_t start_ = 0;
  bool open_ = false;
  bool ends_with_space_ = false;
  uint8_t color_ = 0;
  std::vector<int> spaces_;
};

void ComplexWrapper::start(const WrapContext& context, const std::vector<Fragment>& fragments) {
  context_ = context;
  pieces_.clear();
  words_.clear();
  pending_.clear();
  done_.clear();
  taken_ = 0;
  pieces_.reserve(context.chars->size() / 4);
  words_.reserve(context.chars->size() / 4);
  make_words(fragments);
}

void ComplexWrapper::close_word(uint32_t piece_begin, double width, uint8_t flags) {
  words_.push_back({width, piece_begin, static_cast<uint32_t>(pieces_.size()), flags});
}

// _getFragWords. A word may be made of pieces of several fragments; an empty word stands for a space between fragments.
void ComplexWrapper::make_words(const std::vector<Fragment>& fragments) {
  const auto& chars = *context_.chars;
  uint32_t open = 0;  // first piece of the word being collected
  double width = 0;
  bool at_start = true;
  const auto is_open = [&] { return open < pieces_.size(); };
  const auto close = [&](uint8_t flags) {
    close_word(open, width, flags);
    open = static_cast<uint32_t>(pieces_.size());
    width = 0;
  };

  for (const Fragment& fragment : fragments) {
    if (fragment.is_break) {
      if (is_open()) close(0);
      add_piece(fragment.begin, fragment.begin, fragment.color);
      close(kBreak);
      at_start = true;
      continue;
    }
    uint32_t begin = fragment.begin;
    const uint32_t end = fragment.end;
    if (at_start) {
      while (begin < end && chars[begin].slot == kSpaceSlot) ++begin;
      if (begin == end) continue;
      at_start = false;
    }
    // Python's split() drops empty ends; ReportLab's own split, used where a no-break space is in the text, keeps them.
    const bool keep_empty = fragment.has_nbsp;
    const bool leading = chars[begin].slot == kSpaceSlot;
    const bool trailing = chars[end - 1].slot == kSpaceSlot;

    uint32_t first = begin, last = end;  // without the outer spaces
    while (first < last && chars[first].slot == kSpaceSlot) ++first;
    while (last > first && chars[last - 1].slot == kSpaceSlot) --last;
    bool has_words = first < last || keep_empty;
    if (leading || !has_words) {
      bool had_space;
      if (is_open()) {
        close(0);
        had_space = false;
      } else {
        had_space = !words_.empty() && (words_.back().flags & kSpaceAfter);
      }
      if (!had_space) {
        // An empty word before the others; alone, it is the last word and is handled below.
        add_piece(begin, begin, fragment.color);
        if (!has_words) {
          if (trailing) close(kSpaceAfter);
          continue;
        }
        close(kSpaceAfter);
      } else if (!has_words) {
        continue;
      }
    }
    if (keep_empty && leading) {
      add_piece(begin, begin, fragment.color);
      close(kSpaceAfter);
    }
    for (uint32_t i = first;;) {
      uint32_t word_end = i;
      while (word_end < last && chars[word_end].slot != kSpaceSlot) ++word_end;
      add_piece(i, word_end, fragment.color);
      width += context_.width(i, word_end);
      if (word_end == last) break;
      close(kSpaceAfter);
      i = word_end;
      while (chars[i].slot == kSpaceSlot) ++i;
    }
    if (trailing) {
      if (keep_empty) {
        close(kSpaceAfter);
        add_piece(end, end, fragment.color);
      }
      close(kSpaceAfter);
    }
  }
  if (is_open()) close(0);
  if (words_.empty() && !fragments.empty()) {
    add_piece(0, 0, fragments[0].color);
    close(0);
  }
}

bool ComplexWrapper::next(Word* word) {
  if (!pending_.empty()) {
    *word = pending_.back();
    pending_.pop_back();
    return true;
  }
  if (taken_ == words_.size()) return false;
  *word = words_[taken_++];
  return true;
}

// _splitFragWord, with the break that breakLines injects after the first part. Lines beyond `max_lines` are not reached, so
// the last part may be longer than a line.
void ComplexWrapper::split_word(const Word& word, double first_width, const LineWidths& widths, size_t line,
                                size_t max_lines) {
  has_parts_ = true;
  std::vector<Word> parts;
  double max_width = first_width;
  double line_width = 0, word_width = 0;
  uint32_t part_begin = static_cast<uint32_t>(pieces_.size());
  const auto close_part = [&](uint8_t flags) {
    parts.push_back({word_width, part_begin, static_cast<uint32_t>(pieces_.size()), flags});
    part_begin = static_cast<uint32_t>(pieces_.size());
  };
  for (uint32_t p = word.piece_begin; p < word.piece_end; ++p) {
    const Piece piece = pieces_[p];
    uint32_t begin = piece.begin;
    for (uint32_t i = piece.begin; i < piece.end && line <= max_lines; ++i) {
      const double char_width = context_.char_width((*context_.chars)[i].slot);
      double new_width = line_width + char_width;
      if (new_width > max_width) {
        add_piece(begin, i, piece.color);
        close_part(kPart);
        max_width = widths.of(++line);
        new_width = char_width;
        word_width = 0;
        begin = i;
      }
      word_width += char_width;
      line_width = new_width;
    }
    add_piece(begin, piece.end, piece.color);
  }
  close_part((word.flags & kSpaceAfter) ? kPart | kSpaceAfter : kPart | kLastPartBare);

  add_piece(0, 0, pieces_[word.piece_begin].color);
  Word injected{0, part_begin, static_cast<uint32_t>(pieces_.size()), kBreak | kInjected};
  parts.insert(parts.begin() + 1, injected);
  pending_.insert(pending_.end(), parts.rbegin(), parts.rend());
}

void ComplexWrapper::wrap(const LineWidths& widths, size_t max_lines, WrappedLines& out) {
  out.clear();
  out.complex = true;
  if (!done_.empty()) requeue(std::exchange(done_, {}));  // it did not fit on the last page
  has_parts_ = false;
  LineBuilder line(context_, out.runs);
  line.clear();
  const double one_space = context_.char_width(kSpaceSlot);
  double current = 0, space = 0;
  int count = 0;
  uint32_t first_word = 0;

  const auto end_line = [&](double max_width, bool is_break) {
    out.lines.push_back({static_cast<uint32_t>(line.start()), static_cast<uint32_t>(out.runs.size()), max_width - current,
                         count, is_break, is_break && line.empty(), first_word});
    // The word that ended the line starts the rest, a break too: a cut there leaves an empty line on the next page.
    first_word = static_cast<uint32_t>(done_.size() - 1);
    line.clear();
  };
  const auto place = [&](const Word& word, bool space_before) {
    line.add_first(pieces_[word.piece_begin], space_before);
    for (uint32_t p = word.piece_begin + 1; p < word.piece_end; ++p) line.add_next(pieces_[p]);
    space = (word.flags & kSpaceAfter) ? one_space : 0;
  };
  const auto piece_is_empty = [&](uint32_t p) { return pieces_[p].begin == pieces_[p].end; };

  Word word;
  while (out.lines.size() < max_lines && next(&word)) {
    done_.push_back(word);
    if (line.empty()) {
      count = 0;
      space = current = 0;
    }
    const double max_width = widths.of(out.lines.size());
    const double new_width = word.width > 0 ? current + space + word.width : current;
    const double limit = max_width + line.shrinkable(space, one_space);
    const bool is_break = word.flags & kBreak;
    if (!is_break && new_width > limit && !(word.flags & (kLastPartBare | kPart)) && word.width > max_width) {
      done_.pop_back();
      split_word(word, max_width - space - current, widths, out.lines.size(), max_lines);
      continue;
    }
    if (!is_break && !(new_width > limit && count > 0)) {
      bool counted = !piece_is_empty(word.piece_begin);
      for (uint32_t p = word.piece_begin + 1; p < word.piece_end && !counted; ++p) counted = !piece_is_empty(p);
      if (counted) ++count;
      place(word, space != 0);
      current = new_width;
      continue;
    }
    end_line(max_width, is_break && !(word.flags & kInjected));
    if (is_break) continue;
    current = word.width;
    count = 1;
    place(word, false);
  }
  if (!line.empty() && out.lines.size() < max_lines) end_line(widths.of(out.lines.size()), false);
}

// _rejoinSplitFragWords: the parts' widths are added up, which need not be the width of the whole word to the last bit.
ComplexWrapper::Word ComplexWrapper::join_parts(const std::vector<Word>& parts) {
  Word joined;
  joined.piece_begin = static_cast<uint32_t>(pieces_.size());
  for (const Word& part : parts) {
    joined.width += part.width;
    for (uint32_t p = part.piece_begin; p < part.piece_end; ++p) {
      const Piece piece = pieces_[p];
      const bool adjacent = pieces_.size() > joined.piece_begin && pieces_.back().end == piece.begin &&
                            pieces_.back().color == piece.color;
      if (adjacent) {
        pieces_.back().end = piece.end;
      } else {
        pieces_.push_back(piece);
      }
    }
  }
  joined.piece_end = static_cast<uint32_t>(pieces_.size());
  joined.flags = parts.back().flags & kSpaceAfter;
  return joined;
}

void ComplexWrapper::rejoin(const std::vector<Word>& from, std::vector<Word>& to) {
  std::vector<Word> parts;
  const auto flush = [&] {
    if (!parts.empty()) to.push_back(join_parts(parts));
    parts.clear();
  };
  for (const Word& word : from) {
    if (word.flags & kInjected) continue;
    if (!(word.flags & kPart)) {
      flush();
      to.push_back(word);
      continue;
    }
    parts.push_back(word);
    if (word.flags & kSpaceAfter) flush();
  }
  flush();
}

void ComplexWrapper::cut(size_t line, const WrappedLines& wrapped, ComplexWrapper* head) {
  const size_t first = line < wrapped.lines.size() ? wrapped.lines[line].first_word : done_.size();
  if (head) {
    head->context_ = context_;
    head->pieces_.clear();
    head->words_.clear();
    head->pending_.clear();
    head->done_.clear();
    head->taken_ = 0;
    std::vector<Word> taken(done_.begin(), done_.begin() + first);
    for (Word& word : taken) {
      const auto begin = pieces_.begin() + word.piece_begin, end = pieces_.begin() + word.piece_end;
      word.piece_begin = static_cast<uint32_t>(head->pieces_.size());
      head->pieces_.insert(head->pieces_.end(), begin, end);
      word.piece_end = static_cast<uint32_t>(head->pieces_.size());
    }
    head->rejoin(taken, head->words_);
  }
  requeue({done_.begin() + first, done_.end()});
  done_.clear();
}

// Puts wrapped words before those that are still to come.
void ComplexWrapper::requeue(std::vector<Word> words) {
  words.insert(words.end(), pending_.rbegin(), pending_.rend());
  std::vector<Word> joined;
  rejoin(words, joined);
  pending_.assign(joined.rbegin(), joined.rend());
}

}  // namespace glyph
