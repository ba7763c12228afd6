// ReportLab's breakLinesCJK: cjkFragSplit for several fragments, textsplit.dumbSplit for one.
#include <algorithm>
#include <string_view>

#include "render/wrap.h"

namespace glyph {

namespace {

constexpr double kFuzz = 1e-6;
constexpr uint32_t kFirstCjk = 0x3000;

// Characters that may not start a line: they hang over the right edge instead.
constexpr std::u32string_view kCannotStart =
    U"!',.:;?!\")]\u3001\u3002\u300d\u300f\u3011\u3015\uff3d\u3011\uff09"
    U"\u3005\u2015\u3041\u3043\u3045\u3047\u3049\u3063\u3083\u3085\u3087\u308e\u30a1\u30a3"
    U"\u30a5\u30a7\u30a9\u30c3\u30e3\u30e5\u30e7\u30ee\u30fc\u30f5\u30f6"
    U"\u309b\u309c\u30fb\u30fd\u30fe\u309d\u309e\u2015\u2010\u00b0\u2032\u2033\u2103\uffe0\uff05\u2030";

bool cannot_start(uint32_t code) { return kCannotStart.find(static_cast<char32_t>(code)) != std::u32string_view::npos; }

}  // namespace

void CjkWrapper::start(const WrapContext& context, const std::vector<Fragment>& fragments) {
  context_ = context;
  single_ = fragments.size() == 1;
  units_.clear();
  units_.reserve(context.chars->size() + fragments.size());
  for (const Fragment& fragment : fragments) {
    for (uint32_t i = fragment.begin; i < fragment.end; ++i) {
      units_.push_back({i, (*context_.chars)[i].slot, fragment.color, false, false});
    }
    if (fragment.is_break) units_.push_back({kNoSource, kSpaceSlot, fragment.color, true, true});
  }
}

// The line is full at a character below U+3000: looks for an earlier place, a space or a CJK character, in the line's second
// half. On success the line ends before `*unit` (unless it may not start one).
bool CjkWrapper::look_back(size_t line_start, size_t* next, double* extra, double* width_back, size_t* unit) const {
  const size_t i = *next;
  const size_t limit = (line_start + i) >> 1;
  for (size_t j = i - 1; j > limit; --j) {
    const Unit& candidate = units_[j];
    if (candidate.slot != kSpaceSlot && candidate.slot != kNbspSlot && code(candidate) < kFirstCjk) continue;
    const size_t k = j + 1;
    if (k >= i) continue;
    double sum = 0;
    for (size_t m = k + 1; m < i; ++m) sum += width(units_[m]);
    *extra += sum;
    *width_back = width(units_[k]);
    *unit = k;
    *next = k + 1;
    return true;
  }
  return false;
}

void CjkWrapper::emit(size_t begin, size_t end, WrappedLines& out, Line line, bool strip) {
  const auto blank = [&](size_t i) { return units_[i].slot == kSpaceSlot || units_[i].slot == kNbspSlot; };
  line.first_word = static_cast<uint32_t>(begin);
  if (strip) {
    while (begin < end && blank(begin)) ++begin;
    while (end > begin && blank(end - 1)) --end;
  }
  line.run_begin = static_cast<uint32_t>(out.runs.size());
  while (begin < end) {
    const Unit first = units_[begin++];
    if (first.is_empty) continue;
    if (first.index == kNoSource) {
      out.runs.push_back({kNoSource, kNoSource, first.color});
      continue;
    }
    uint32_t next = first.index + 1;
    for (; begin < end && units_[begin].index == next && units_[begin].color == first.color; ++begin) ++next;
    out.runs.push_back({first.index, next, first.color});
  }
  line.run_end = static_cast<uint32_t>(out.runs.size());
  line.word_count = 1;
  out.lines.push_back(line);
}

void CjkWrapper::wrap(const LineWidths& widths, WrappedLines& out) {
  out.clear();
  out.complex = !single_;
  stripped_last_ = true;
  size_t i = 0, line_start = 0;
  double used = 0;
  double max_width = widths.first;
  while (i < units_.size()) {
    size_t unit = i++;
    double last_width = width(units_[unit]);
    used += last_width;
    const bool is_break = !single_ && units_[unit].is_break;
    if (!((used > max_width + kFuzz && used > 0) || is_break)) continue;
    double extra = max_width - used;
    if (!is_break) {
      if (code(units_[unit]) < kFirstCjk) look_back(line_start, &i, &extra, &last_width, &unit);
      if (!cannot_start(code(units_[unit])) && i > line_start + 1) {
        --i;
        extra += last_width;
      }
    }
    Line line;
    line.extra_space = extra;
    line.is_break = is_break;
    emit(line_start, i, out, line, single_);
    max_width = widths.of(out.lines.size());
    line_start = i;
    used = 0;
  }
  if (used > 0) {
    stripped_last_ = false;
    Line line;
    line.extra_space = max_width - used;
    emit(line_start, units_.size(), out, line, false);
  } else {
    units_.resize(line_start);  // nothing of any width is left: ReportLab drops it
  }
}

// Whether the text from `line` on would be one fragment: one line of one colour without a break among other characters.
bool CjkWrapper::is_one_fragment(size_t line, const WrappedLines& wrapped) const {
  if (line + 1 != wrapped.lines.size()) return false;
  for (size_t i = wrapped.lines[line].first_word + 1; i < units_.size(); ++i) {
    if (units_[i].color != units_[i - 1].color || units_[i].is_break || units_[i - 1].is_break) return false;
  }
  return true;
}

// The rest of a paragraph is the text of its lines: of one fragment, the stripped lines put together; of several, with a space
// put behind each line but the last where there is none (which is why lines may start with a space on later pages).
void CjkWrapper::cut(size_t line, const WrappedLines& wrapped) {
  std::vector<Unit> rest;
  rest.reserve(units_.size());
  const size_t num_lines = wrapped.lines.size();
  const bool one_fragment = single_ || is_one_fragment(line, wrapped);
  for (size_t l = line; l < num_lines; ++l) {
    size_t begin = wrapped.lines[l].first_word;
    size_t end = l + 1 < num_lines ? wrapped.lines[l + 1].first_word : units_.size();
    const bool last = l + 1 == num_lines;
    if (single_) {
      const auto blank = [&](size_t i) { return units_[i].slot == kSpaceSlot || units_[i].slot == kNbspSlot; };
      // The leftover line of a wrap is not stripped; a line that the text ended with is.
      if (!last || stripped_last_) {
        while (begin < end && blank(begin)) ++begin;
        while (end > begin && blank(end - 1)) --end;
      }
    }
    rest.insert(rest.end(), units_.begin() + begin, units_.begin() + end);
    if (single_ || last || begin == end) continue;
    Unit& tail = rest.back();
    if (tail.is_empty) {
      tail.is_empty = false;
    } else if (tail.slot != kSpaceSlot) {
      rest.push_back({kNoSource, kSpaceSlot, tail.color, false, false});
    }
  }
  units_ = std::move(rest);
  single_ = one_fragment;
}

}  // namespace glyph
