// Typesetter: wrapped lines -> glyphs and boxes on a page. It follows the PDF that ReportLab would write (fp_str numbers, Td, Tw,
// T*) and poppler's reading of it, because both round.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "glyph/page_style.h"
#include "render/char_table.h"
#include "render/page_plan.h"
#include "render/story.h"
#include "render/wrap.h"

namespace glyph {

// A paragraph, or the part of one that stands on a page.
struct SetParagraph {
  const ParagraphText* text = nullptr;
  const WrappedLines* wrapped = nullptr;
  size_t num_lines = 0;           // the first lines of `wrapped`
  double x = 0, y = 0;            // lower left corner, points
  double width = 0, height = 0;   // points
  double first_line_indent = 0;
  bool justify_last = false;      // the paragraph goes on on the next page
};

class Typesetter {
 public:
  Typesetter(const PageStyle& style, const FontFace& face, const CharTable& table);

  // Line boxes point into `text`, whose first byte is byte `base` of the document's text. An empty view: no line boxes.
  void set_source(std::string_view text, size_t base);
  void set_colors(const std::vector<Color>& colors);

  void start_page(PagePlan& plan);
  void draw(const SetParagraph& paragraph, PagePlan& plan);

 private:
  class Pen;

  Color device_color(Color color) const;
  void draw_box(const SetParagraph& paragraph, PagePlan& plan) const;
  void fill(double x, double y, double width, double height, Color color, PagePlan& plan) const;
  void stroke(double x, double y, double width, double height, PagePlan& plan) const;
  void draw_line(const SetParagraph& paragraph, size_t number, Pen& pen, PagePlan& plan);
  void show(const SetParagraph& paragraph, const Line& line, Pen& pen, PagePlan& plan);
  void note_boxes(const SetParagraph& paragraph, const Line& line, double baseline, double end_x, PagePlan& plan);
  bool is_one_byte_at(const TextChar& character) const;
  int count_gaps(const SetParagraph& paragraph, const Line& line) const;

  PageStyle style_;
  const CharTable& table_;
  double scale_;          // pixels a point
  double page_height_;    // points, as printed
  double line_height_;    // points
  double device_line_height_;
  bool blank_space_;      // the space glyph has no outline
  double origin_x_ = 0, origin_y_ = 0;  // pixels: where the current paragraph's coordinates start
  std::vector<float> pen_x_;            // pixels: the pen before each character of the current line
  std::string_view text_;
  size_t base_ = 0;
  std::vector<Color> colors_;
};

// The line height the style means: 0 stands for font size + 1.
double line_height_of(const PageStyle& style);

}  // namespace glyph
