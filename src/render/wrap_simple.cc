#include <algorithm>
#include <utility>

#include "render/wrap.h"

namespace glyph {

namespace {
constexpr double kSpaceShrinkage = 0.05;  // how much of a space may be given up to fit one more word
}

void append_run(std::vector<LineRun>& runs, size_t line_start, uint32_t begin, uint32_t end, uint8_t color) {
  if (begin == end) return;
  if (runs.size() > line_start && runs.back().end == begin && runs.back().color == color && !runs.back().is_space()) {
    runs.back().end = end;
  } else {
    runs.push_back({begin, end, color});
  }
}

void append_space(std::vector<LineRun>& runs, size_t line_start, const WrapContext& context) {
  if (runs.size() > line_start && !runs.back().is_space()) {
    LineRun& last = runs.back();
    if (last.end < context.chars->size() && context.is(last.end, kSpaceSlot)) {
      ++last.end;
      return;
    }
  }
  runs.push_back({kNoSource, kNoSource, 0});
}

void SimpleWrapper::start(const WrapContext& context, const Fragment& fragment) {
  context_ = context;
  color_ = fragment.color;
  source_ = fragment.begin;
  source_end_ = fragment.end;
  pending_.clear();
  done_.clear();
}

bool SimpleWrapper::next(Word* word) {
  if (!pending_.empty()) {
    *word = pending_.back();
    pending_.pop_back();
    return true;
  }
  while (source_ < source_end_ && context_.is(source_, kSpaceSlot)) ++source_;
  if (source_ == source_end_) return false;
  uint32_t end = source_;
  while (end < source_end_ && !context_.is(end, kSpaceSlot)) ++end;
  *word = {source_, end, Kind::kPlain};
  source_ = end;
  return true;
}

// ReportLab's _splitWord: as much of the word as fits behind `line_width`, then line by line. Lines beyond `max_lines` are not
// reached, so the last part may be longer than a line.
void SimpleWrapper::split_word(const Word& word, double line_width, const LineWidths& widths, size_t line,
                               size_t max_lines) {
  has_parts_ = true;
  std::vector<Word> parts;
  double max_width = widths.of(line);
  uint32_t begin = word.begin;
  for (uint32_t i = word.begin; i < word.end; ++i) {
    const double char_width = context_.char_width((*context_.chars)[i].slot);
    double new_width = line_width + char_width;
    if (new_width > max_width) {
      if (line > max_lines) break;
      parts.push_back({begin, i, Kind::kPart});
      max_width = widths.of(++line);
      new_width = char_width;
      begin = i;
    }
    line_width = new_width;
  }
  parts.push_back({begin, word.end, Kind::kLastPart});
  pending_.insert(pending_.end(), parts.rbegin(), parts.rend());
}

void SimpleWrapper::wrap(const LineWidths& widths, size_t max_lines, WrappedLines& out) {
  out.clear();
  out.complex = false;
  requeue(std::exchange(done_, {}));  // a paragraph that did not fit is wrapped again on the next page
  has_parts_ = false;
  const double space = context_.char_width(kSpaceSlot);
  const double shrink = kSpaceShrinkage * space;
  size_t line_start = 0;   // first run of the line
  uint32_t first_word = 0;
  int count = 0;           // words on the line
  double current = -space;
  bool forced = false;

  const auto end_line = [&](double extra) {
    out.lines.push_back({static_cast<uint32_t>(line_start), static_cast<uint32_t>(out.runs.size()), extra, count, false, false,
                         first_word});
    line_start = out.runs.size();
    first_word = static_cast<uint32_t>(done_.size());
    count = 0;
  };
  const auto place = [&](const Word& word) {
    if (word.begin == word.end) return;  // ReportLab keeps no empty words
    if (count > 0) append_space(out.runs, line_start, context_);
    append_run(out.runs, line_start, word.begin, word.end, color_);
    done_.push_back(word);
    ++count;
  };

  Word word;
  while (out.lines.size() < max_lines && next(&word)) {
    const double max_width = widths.of(out.lines.size());
    if (word.begin == word.end && word.kind != Kind::kPlain) forced = true;
    const double word_width = context_.width(word.begin, word.end);
    const double new_width = current + space + word_width;
    const double limit = max_width + shrink * count;
    if (new_width > limit && !forced && word.kind == Kind::kPlain && word_width > max_width) {
      split_word(word, current + space, widths, out.lines.size(), max_lines);
      forced = true;
      continue;
    }
    if (new_width <= limit || count == 0 || forced) {
      place(word);
      current = new_width;
      if (forced) {
        forced = false;
        end_line(max_width - new_width);
        current = -space;
      }
    } else {
      end_line(max_width - current);
      place(word);
      current = word_width;
    }
  }
  if (count > 0 && out.lines.size() < max_lines) end_line(widths.of(out.lines.size()) - current);
}

// Parts of a long word become one plain word again when they are wrapped anew.
void SimpleWrapper::requeue(std::vector<Word> words) {
  while (!pending_.empty()) {
    words.push_back(pending_.back());
    pending_.pop_back();
  }
  std::vector<Word> joined;
  bool open = false;
  for (const Word& word : words) {
    if (word.kind == Kind::kPlain) {
      joined.push_back(word);
      open = false;
      continue;
    }
    if (open) {
      joined.back().end = word.end;
    } else {
      joined.push_back({word.begin, word.end, Kind::kPlain});
    }
    open = word.kind != Kind::kLastPart;
  }
  pending_.assign(joined.rbegin(), joined.rend());
}

void SimpleWrapper::cut(size_t line, const WrappedLines& wrapped, SimpleWrapper* head) {
  const size_t first = line < wrapped.lines.size() ? wrapped.lines[line].first_word : done_.size();
  if (head) {
    head->context_ = context_;
    head->color_ = color_;
    head->source_ = head->source_end_ = 0;
    head->pending_.clear();
    head->done_.clear();
    head->requeue({done_.begin(), done_.begin() + first});
  }
  requeue({done_.begin() + first, done_.end()});
  done_.clear();
}

}  // namespace glyph
