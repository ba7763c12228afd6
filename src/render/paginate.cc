#include "render/paginate.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

namespace glyph {

namespace {
constexpr double kFramePadding = 6;  // points, on all sides
constexpr double kFuzz = 1e-6;
}  // namespace

FrameSize frame_size(const PageStyle& style) {
  const double width = (style.page_width - style.margin_x) - style.margin_x;
  const double height = (style.page_height - style.margin_y) - style.margin_y;
  return {(style.margin_x + width) - style.margin_x - kFramePadding - kFramePadding,
          (style.margin_y + height) - (style.margin_y + kFramePadding) - kFramePadding};
}

Paginator::Paginator(const PageStyle& style, Typesetter& typesetter, const CharTable& table, bool cjk)
    : style_(style), typesetter_(typesetter), table_(table), cjk_(cjk), line_height_(line_height_of(style)) {
  const double height = (style.page_height - style.margin_y) - style.margin_y;
  frame_x_ = style.margin_x + kFramePadding;
  frame_top_ = (style.margin_y + height) - kFramePadding;
  frame_bottom_ = style.margin_y + kFramePadding;
  frame_width_ = frame_size(style).width;
}

Status Paginator::layout(Story& story, const PlanSink& sink) {
  start_page();
  while (story.next(text_)) {
    const WrapContext context{&table_, &text_.chars};
    first_line_indent_ = style_.first_line_indent;
    if (text_.fragments.empty()) {
      kind_ = Kind::kEmpty;
    } else if (cjk_) {
      kind_ = Kind::kCjk;
      cjk_wrapper_.start(context, text_.fragments);
    } else if (text_.fragments.size() == 1 && !text_.fragments[0].is_break) {
      kind_ = Kind::kSimple;
      simple_.start(context, text_.fragments[0]);
    } else {
      kind_ = Kind::kComplex;
      complex_.start(context, text_.fragments);
    }
    GLYPH_RETURN_IF_ERROR(place_paragraph(sink));
  }
  plan_.is_last = true;
  return sink(plan_);
}

Status Paginator::place_paragraph(const PlanSink& sink) {
  bool postponed = false;
  while (!add()) {
    if (split()) {
      postponed = false;
      continue;
    }
    if (postponed) {
      return refused(fmt::format("page-size: the page has no room for two lines of {} points inside its margins", line_height_));
    }
    postponed = true;
    GLYPH_RETURN_IF_ERROR(next_page(sink));
  }
  return {};
}

void Paginator::start_page() {
  plan_.clear();
  typesetter_.start_page(plan_);
  y_ = frame_top_;
  at_top_ = true;
  space_after_last_ = 0;
}

Status Paginator::next_page(const PlanSink& sink) {
  GLYPH_RETURN_IF_ERROR(sink(plan_));
  start_page();
  return {};
}

double Paginator::space_above() const {
  return at_top_ ? 0 : std::max(style_.space_before - space_after_last_, 0.0);
}

double Paginator::room() const { return y_ - frame_bottom_ - space_above(); }

LineWidths Paginator::widths() const {
  return {frame_width_ - (style_.left_indent + first_line_indent_) - style_.right_indent,
          frame_width_ - style_.left_indent - style_.right_indent};
}

void Paginator::wrap(size_t max_lines) {
  switch (kind_) {
    case Kind::kEmpty:
      wrapped_.clear();
      wrapped_.complex = false;
      break;
    case Kind::kSimple: simple_.wrap(widths(), max_lines, wrapped_); break;
    case Kind::kComplex: complex_.wrap(widths(), max_lines, wrapped_); break;
    case Kind::kCjk: cjk_wrapper_.wrap(widths(), wrapped_); break;
  }
}

bool Paginator::add() {
  const double above = space_above();
  const double available = room();
  if (!(available > 0)) return false;
  // Lines beyond the page are not needed: two more than fit tell that the paragraph does not.
  wrap(static_cast<size_t>(available / line_height_) + 2);
  const double height = static_cast<double>(wrapped_.lines.size()) * line_height_;
  const double bottom = y_ - (height + above);
  if (bottom < frame_bottom_ - kFuzz) return false;
  draw(wrapped_, wrapped_.lines.size(), bottom, false);
  end_paragraph(bottom);
  return true;
}

// ReportLab wraps the lines it cuts off again. Without split words that changes two things only: the last line no longer ends in
// a break, and it is gone if it was nothing but a break.
template <typename Wrapper>
const WrappedLines* Paginator::cut(Wrapper& wrapper, Wrapper& head, size_t line, size_t* num_lines) {
  if (wrapper.has_parts()) {
    wrapper.cut(line, wrapped_, &head);
    head.wrap(widths(), SIZE_MAX, head_);
    *num_lines = head_.lines.size();
    return &head_;
  }
  wrapper.cut(line, wrapped_, nullptr);
  *num_lines = wrapped_.lines[line - 1].is_blank ? line - 1 : line;
  wrapped_.lines[line - 1].is_break = false;
  return &wrapped_;
}

// After a failed add(): wrapped_ holds at least two lines more than fit, unless there was no room at all.
bool Paginator::split() {
  const double available = room();
  if (available < kFuzz || kind_ == Kind::kEmpty) return false;
  const size_t fitting = static_cast<size_t>(available / line_height_);
  if (fitting <= 1 || wrapped_.lines.size() <= fitting) return false;
  const bool justify_last = !wrapped_.lines[fitting - 1].is_break || !wrapped_.complex;

  const WrappedLines* head = &wrapped_;
  size_t num_lines = fitting;
  if (kind_ == Kind::kSimple) {
    head = cut(simple_, simple_head_, fitting, &num_lines);
  } else if (kind_ == Kind::kComplex) {
    head = cut(complex_, complex_head_, fitting, &num_lines);
  }
  const double height = static_cast<double>(num_lines) * line_height_;
  const double bottom = y_ - (height + space_above());
  draw(*head, num_lines, bottom, justify_last);
  if (kind_ == Kind::kCjk) cjk_wrapper_.cut(fitting, wrapped_);
  end_paragraph(bottom);
  first_line_indent_ = 0;
  return true;
}

void Paginator::end_paragraph(double bottom) {
  const double next = bottom - style_.space_after;
  space_after_last_ = style_.space_after;
  if (next != y_) at_top_ = false;
  y_ = next;
}

void Paginator::draw(const WrappedLines& wrapped, size_t num_lines, double bottom, bool justify_last) {
  SetParagraph paragraph;
  paragraph.text = &text_;
  paragraph.wrapped = &wrapped;
  paragraph.num_lines = num_lines;
  paragraph.x = frame_x_;
  paragraph.y = bottom;
  paragraph.width = frame_width_;
  paragraph.height = static_cast<double>(num_lines) * line_height_;
  paragraph.first_line_indent = first_line_indent_;
  paragraph.justify_last = justify_last;
  typesetter_.draw(paragraph, plan_);
}

}  // namespace glyph
