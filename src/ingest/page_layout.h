// Words with their places on a page -> text in reading order.
//
// A region of the page is cut where a vertical gutter separates columns of prose over a run of lines; what stands above and
// below that run (titles, wide figures, footers) is read before and after it, and each column is cut again. Lines of one
// paragraph are joined, words divided at a line end are put together again, and rows of a table keep their cells apart with
// " | ". Follows the idea of recursive XY cuts (Nagy and Seth, 1984) with gutters bounded by the lines that cross them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace glyph {

// One word; the origin is the page's top left corner, units are points.
struct PageWord {
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  std::string text;          // UTF-8
  int rotation = 0;          // quarter turns; words with another value than 0 follow the rest of the page
  bool space_after = false;  // the next word of the list follows after a space on the same line
};

// The page's text: paragraphs end with '\n', larger gaps are a blank line. Words must come line by line, as poppler lists
// them; the order of blocks does not matter.
std::string layout_page(const std::vector<PageWord>& words);

// How much of the words can be read: a font without Unicode values gives private-use or replacement characters.
struct TextQuality {
  size_t characters = 0;  // code points other than spaces
  size_t legible = 0;     // of these, the ones that mean something
};
TextQuality judge_words(const std::vector<PageWord>& words);

}  // namespace glyph
