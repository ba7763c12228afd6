// Paginator: a story's paragraphs -> pages, with the rules of ReportLab's Frame and Paragraph.split.
#pragma once

#include <functional>
#include <vector>

#include "glyph/page_style.h"
#include "glyph/status.h"
#include "render/story.h"
#include "render/typesetter.h"
#include "render/wrap.h"

namespace glyph {

// Called with each page; a Status that is not ok ends the layout.
using PlanSink = std::function<Status(PagePlan& plan)>;

class Paginator {
 public:
  // `cjk`: the document is wrapped by the CJK rule.
  Paginator(const PageStyle& style, Typesetter& typesetter, const CharTable& table, bool cjk);

  // kRefused when not even two lines of a paragraph fit on an empty page (the reference fails there too).
  Status layout(Story& story, const PlanSink& sink);

 private:
  enum class Kind { kEmpty, kSimple, kComplex, kCjk };

  Status place_paragraph(const PlanSink& sink);
  bool add();                 // draws the current paragraph if it fits
  bool split();               // draws its first lines and keeps the rest
  template <typename Wrapper>
  const WrappedLines* cut(Wrapper& wrapper, Wrapper& head, size_t line, size_t* num_lines);
  Status next_page(const PlanSink& sink);
  void start_page();
  void end_paragraph(double bottom);
  double space_above() const;
  double room() const;        // points left for the paragraph on this page
  void wrap(size_t max_lines);
  LineWidths widths() const;
  void draw(const WrappedLines& wrapped, size_t num_lines, double bottom, bool justify_last);

  PageStyle style_;
  Typesetter& typesetter_;
  const CharTable& table_;
  bool cjk_;
  double line_height_;
  double frame_x_, frame_top_, frame_bottom_, frame_width_;  // inside the padding, points

  PagePlan plan_;
  double y_ = 0;
  double space_after_last_ = 0;
  bool at_top_ = true;

  // The current paragraph, or what is left of it:
  ParagraphText text_;
  Kind kind_ = Kind::kEmpty;
  SimpleWrapper simple_, simple_head_;
  ComplexWrapper complex_, complex_head_;
  CjkWrapper cjk_wrapper_;
  WrappedLines wrapped_, head_;
  double first_line_indent_ = 0;
};

// Room for text inside the margins and the frame's padding, points.
struct FrameSize {
  double width = 0, height = 0;
};
FrameSize frame_size(const PageStyle& style);

}  // namespace glyph
