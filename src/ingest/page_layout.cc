#include "ingest/page_layout.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string_view>

#include "base/utf8.h"
#include "ingest/page_region.h"
#include "ingest/plain_text.h"

namespace glyph {
namespace {

constexpr size_t kMaxColumnSegments = 3000;  // more than any page of prose: columns are not looked for
constexpr int kMaxDepth = 8;                 // columns within columns
constexpr float kGutterEm = 0.9f;            // narrowest gutter
constexpr float kProseEm = 9;                // mean line width of a column of prose
constexpr size_t kColumnLines = 4;           // a column has at least this many lines

// A band of a region in which x separates two columns of prose.
struct Gutter {
  float x = 0;
  float top = 0;
  float bottom = 0;
  size_t lines = 0;  // in the shorter column
  float width = 0;   // ems from the end of the longest line on the left to the first line on the right

  // A wide gutter is worth some lines: a footer that reaches into it must not narrow it.
  float score() const { return static_cast<float>(lines) + 2 * std::min(width, 4.0f); }
  bool beats(const std::optional<Gutter>& other) const { return !other || score() > other->score(); }
};

using Segments = std::vector<PageSegment>;

struct Side {
  size_t count = 0;
  float width = 0;  // sum of segment widths
  float em = 0;     // sum of segment heights
  float top = 1e30f;
  float bottom = -1e30f;
  float x0 = 1e30f;
  float x1 = -1e30f;

  void add(const PageSegment& segment) {
    ++count;
    width += segment.x1 - segment.x0;
    em += segment.height();
    top = std::min(top, segment.y0);
    bottom = std::max(bottom, segment.y1);
    x0 = std::min(x0, segment.x0);
    x1 = std::max(x1, segment.x1);
  }
  bool is_prose() const { return count >= kColumnLines && width >= kProseEm * em; }
};

bool overlap_in_height(const Side& a, const Side& b) {
  const float common = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  return common >= 0.3f * std::min(a.bottom - a.top, b.bottom - b.top);
}

// The best band between two lines that cross x. `segments` are sorted by y0.
std::optional<Gutter> gutter_at(const Segments& segments, float x, float em) {
  std::optional<Gutter> best;
  Side left, right;
  const auto close_band = [&] {
    const size_t lines = std::min(left.count, right.count);
    const bool counts = left.is_prose() && right.is_prose() && overlap_in_height(left, right);
    const Gutter found{x, std::min(left.top, right.top), std::max(left.bottom, right.bottom), lines,
                       (right.x0 - left.x1) / em};
    if (counts && found.beats(best)) best = found;
    left = {};
    right = {};
  };
  for (const PageSegment& segment : segments) {
    if (segment.x1 <= x + 0.1f) {
      left.add(segment);
    } else if (segment.x0 >= x + kGutterEm * em - 0.1f) {
      right.add(segment);
    } else {
      close_band();
    }
  }
  close_band();
  return best;
}

std::optional<Gutter> find_gutter(const Segments& segments) {
  if (segments.size() < 2 * kColumnLines || segments.size() > kMaxColumnSegments) return std::nullopt;
  // A gutter begins where some line ends: only those places need a look.
  std::vector<int> ends;
  for (const PageSegment& segment : segments) ends.push_back(static_cast<int>(std::ceil(std::clamp(segment.x1, -1e6f, 1e6f))));
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  const float em = median_height(segments);
  std::optional<Gutter> best;
  for (const int x : ends) {
    const auto gutter = gutter_at(segments, static_cast<float>(x), em);
    if (gutter && gutter->beats(best)) best = gutter;
  }
  return best;
}

struct Cut {
  Segments above, left, right, below;
};

Cut cut_at(const Segments& segments, const Gutter& gutter) {
  Cut cut;
  for (const PageSegment& segment : segments) {
    const float middle = (segment.y0 + segment.y1) / 2;
    if (middle < gutter.top) {
      cut.above.push_back(segment);
    } else if (middle > gutter.bottom) {
      cut.below.push_back(segment);
    } else {
      (segment.x0 >= gutter.x - 0.1f ? cut.right : cut.left).push_back(segment);
    }
  }
  return cut;
}

// Appends the text of a region, columns in order.
void write_region(const Segments& segments, int depth, std::string& out) {
  if (segments.empty()) return;
  const auto gutter = depth < kMaxDepth ? find_gutter(segments) : std::nullopt;
  if (!gutter) {
    write_column(segments, out);
    return;
  }
  const Cut cut = cut_at(segments, *gutter);
  if (cut.left.size() == segments.size() || cut.right.size() == segments.size()) {
    write_column(segments, out);
    return;
  }
  for (const Segments* part : {&cut.above, &cut.left, &cut.right, &cut.below}) write_region(*part, depth + 1, out);
}

// Words that stand on their side, in the order they came.
std::string rotated_text(const std::vector<PageWord>& words) {
  std::string text;
  for (const PageWord& word : words) {
    if (word.rotation == 0) continue;
    text += expand_ligatures(word.text);
    text += word.space_after ? ' ' : '\n';
  }
  return text;
}

bool is_legible(uint32_t c) {
  const bool is_private = (c >= 0xE000 && c <= 0xF8FF) || c >= 0xF0000;
  return !is_private && c != kReplacementCharacter && c > 0x20 && !(c >= 0x7F && c < 0xA0);
}

}  // namespace

std::string layout_page(const std::vector<PageWord>& words) {
  Segments segments = make_segments(words);
  std::stable_sort(segments.begin(), segments.end(), [](const PageSegment& a, const PageSegment& b) { return a.y0 < b.y0; });
  std::string out;
  write_region(segments, 0, out);
  const std::string rotated = rotated_text(words);
  if (!rotated.empty() && !out.empty()) out += '\n';
  return tidy_lines(clean_text(out + rotated));
}

TextQuality judge_words(const std::vector<PageWord>& words) {
  TextQuality quality;
  for (const PageWord& word : words) {
    for (size_t i = 0; i < word.text.size();) {
      const CodePoint step = decode_utf8(word.text, i);
      i += step.length;
      if (step.value == ' ' || step.value == 0xA0) continue;
      ++quality.characters;
      quality.legible += is_legible(step.value);
    }
  }
  return quality;
}

}  // namespace glyph
