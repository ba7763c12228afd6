#include "render/typesetter.h"

#include <cmath>

#include "render/pdf_number.h"

namespace glyph {

namespace {

constexpr double kTiny = 1e-8;
// ReportLab starts a page with a font of this leading; it holds until a line with text sets another.
constexpr double kInitialLeading = 14.4;

inline int floor_pixel(double value) {
  const int truncated = static_cast<int>(value);
  return truncated - (truncated > value);
}

int round_pixel(double value) { return floor_pixel(value + 0.5); }


// Bytes of the UTF-8 sequence that starts with `lead`.
size_t sequence_length(uint8_t lead) { return lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }

// Every quarter pixel that the box touches.
PaintOp sliver(double x0, double x1, double y0, double y1, Color color) {
  PaintOp op;
  op.kind = PaintOp::Kind::kSliver;
  op.color = color;
  op.x0 = floor_pixel(std::fmin(x0, x1) * 4);
  op.x1 = floor_pixel(std::fmax(x0, x1) * 4) + 1;
  op.y0 = floor_pixel(std::fmin(y0, y1) * 4);
  op.y1 = floor_pixel(std::fmax(y0, y1) * 4) + 1;
  return op;
}

// poppler's stroke adjustment of one coordinate of a line between `low` and `high`: edges and middle go to whole pixels.
double adjust(double at, double low, double high) {
  constexpr double kNear = 0.01;
  const double first = round_pixel(low);
  double last = round_pixel(high);
  if (last == first) last += 1;
  last -= kNear;
  const auto near = [&](double target) { return at > target - kNear && at < target + kNear; };
  if (near(low)) return first;
  if (near(0.5 * (low + high))) return 0.5 * (first + last);
  return near(high) ? last : at;
}

// A colour component as poppler gets it from the printed fraction.
uint8_t device_component(uint8_t value) {
  const double read = print_pdf_number(value / 255.0).device;
  const int fixed = static_cast<int>(std::fmin(read, 1.0) * 65536.0);
  return static_cast<uint8_t>(((fixed << 8) - fixed + 0x8000) >> 16);
}

}  // namespace

double line_height_of(const PageStyle& style) {
  return style.line_height != 0 ? style.line_height : style.font_size + 1;
}

// PDF's text state: Td, T*, Tw and the pen, in poppler's arithmetic.
class Typesetter::Pen {
 public:
  Pen(double x, double y, double leading) : matrix_x_(x), matrix_y_(y), leading_(leading) {}

  // ReportLab's setXPos: moves the line's start; joins a move that directly precedes.
  void move(double dx) {
    if (!(dx > 1e-6 || dx < -1e-6)) return;
    if (move_is_open_) dx += open_move_.exact;
    open_move_ = print_pdf_number(dx);
    move_is_open_ = true;
  }

  void set_word_space(double space) {
    close_move();
    word_space_ = print_pdf_number(space).device;
  }

  void set_leading(double leading) {
    close_move();
    leading_ = leading;
  }

  void start_text() {
    close_move();
    x_ = line_x_ + matrix_x_;
    y_ = line_y_ + matrix_y_;
  }

  void next_line() {
    close_move();
    line_y_ = line_y_ - leading_;
  }

  double x() const { return x_; }
  double y() const { return y_; }
  double word_space() const { return word_space_; }
  void set_x(double x) { x_ = x; }

 private:
  void close_move() {
    if (!move_is_open_) return;
    line_x_ = line_x_ + open_move_.device;
    move_is_open_ = false;
  }

  double matrix_x_, matrix_y_;
  double line_x_ = 0, line_y_ = 0;
  double x_ = 0, y_ = 0;
  double leading_;
  double word_space_ = 0;
  bool move_is_open_ = false;
  PdfNumber open_move_;
};

Typesetter::Typesetter(const PageStyle& style, const FontFace& face, const CharTable& table)
    : style_(style), table_(table), scale_(style.dpi / 72.0), page_height_(print_pdf_number(style.page_height).device),
      line_height_(line_height_of(style)), device_line_height_(print_pdf_number(line_height_).device),
      blank_space_(!face.has_outline(table.glyph(kSpaceSlot))) {}

void Typesetter::set_source(std::string_view text, size_t base) {
  text_ = text;
  base_ = base;
}

void Typesetter::set_colors(const std::vector<Color>& colors) {
  colors_.clear();
  for (const Color& color : colors) colors_.push_back(device_color(color));
}

Color Typesetter::device_color(Color color) const {
  return {device_component(color.r), device_component(color.g), device_component(color.b)};
}

void Typesetter::start_page(PagePlan& plan) {
  plan.width = static_cast<int>(std::ceil(print_pdf_number(style_.page_width).device * scale_));
  plan.height = static_cast<int>(std::ceil(page_height_ * scale_));
  origin_x_ = 0;
  origin_y_ = scale_ * page_height_;
  fill(0, 0, style_.page_width, style_.page_height, device_color(style_.page_bg_color), plan);
}

// poppler rounds the edges of a filled rectangle to pixels, and never to nothing.
void Typesetter::fill(double x, double y, double width, double height, Color color, PagePlan& plan) const {
  const double left = print_pdf_number(x).device, bottom = print_pdf_number(y).device;
  const double right = left + print_pdf_number(width).device, top = bottom + print_pdf_number(height).device;
  const double x0 = left * scale_ + origin_x_, x1 = right * scale_ + origin_x_;
  const double y0 = bottom * -scale_ + origin_y_, y1 = top * -scale_ + origin_y_;
  PaintOp op;
  op.color = color;
  if (y0 == y1) {
    op = sliver(x0, x1, y0, y0, color);
  } else {
    op.x0 = round_pixel(std::fmin(x0, x1));
    op.x1 = std::max(round_pixel(std::fmax(x0, x1)), op.x0 + 1);
    op.y0 = round_pixel(std::fmin(y0, y1));
    op.y1 = std::max(round_pixel(std::fmax(y0, y1)), op.y0 + 1);
  }
  plan.ops.push_back(op);
}

// A stroked rectangle: four bands, their edges rounded, at least a pixel thick.
void Typesetter::stroke(double x, double y, double width, double height, PagePlan& plan) const {
  const double half = 0.5 * print_pdf_number(style_.border_width).device;
  const double left = print_pdf_number(x).device, bottom = print_pdf_number(y).device;
  const double right = left + print_pdf_number(width).device, top = bottom + print_pdf_number(height).device;
  if (bottom == top) {
    // A rectangle of no height is stroked as a line there and back, whose points poppler adjusts twice.
    const double y0 = (bottom + half) * -scale_ + origin_y_, y1 = (bottom - half) * -scale_ + origin_y_;
    const double low = adjust(adjust(y0, y0, y1), y0, y1), high = adjust(adjust(y1, y0, y1), y0, y1);
    plan.ops.push_back(sliver(left * scale_ + origin_x_, right * scale_ + origin_x_, low, high,
                              device_color(style_.para_border_color)));
    return;
  }
  struct Band {
    int begin, end;
  };
  const auto band = [](double a, double b) {
    const int begin = round_pixel(std::fmin(a, b));
    return Band{begin, std::max(round_pixel(std::fmax(a, b)), begin + 1)};
  };
  const auto column = [&](double at) { return band((at - half) * scale_ + origin_x_, (at + half) * scale_ + origin_x_); };
  const auto row = [&](double at) { return band((at - half) * -scale_ + origin_y_, (at + half) * -scale_ + origin_y_); };
  const Band l = column(left), r = column(right), b = row(bottom), t = row(top);
  const Color color = device_color(style_.para_border_color);
  const auto box = [&](int x0, int x1, int y0, int y1) {
    PaintOp op;
    op.color = color;
    op.x0 = x0;
    op.x1 = x1;
    op.y0 = y0;
    op.y1 = y1;
    plan.ops.push_back(op);
  };
  box(l.begin, l.end, t.begin, b.end);
  box(r.begin, r.end, t.begin, b.end);
  box(l.begin, r.end, t.begin, t.end);
  box(l.begin, r.end, b.begin, b.end);
}

void Typesetter::draw_box(const SetParagraph& paragraph, PagePlan& plan) const {
  const double padding = style_.border_padding;
  const double x = style_.left_indent - padding, y = -padding;
  const double width = paragraph.width - (style_.left_indent + style_.right_indent) + padding + padding;
  const double height = paragraph.height + padding + padding;
  fill(x, y, width, height, device_color(style_.para_bg_color), plan);
  if (style_.border_width != 0) stroke(x, y, width, height, plan);
}

void Typesetter::draw(const SetParagraph& paragraph, PagePlan& plan) {
  origin_x_ = print_pdf_number(paragraph.x).device * scale_;
  origin_y_ = print_pdf_number(paragraph.y).device * -scale_ + scale_ * page_height_;
  draw_box(paragraph, plan);
  if (paragraph.num_lines == 0) return;
  Pen pen(print_pdf_number(style_.left_indent).device, print_pdf_number(paragraph.height - style_.font_size).device,
          paragraph.wrapped->complex ? device_line_height_ : kInitialLeading);
  for (size_t i = 0; i < paragraph.num_lines; ++i) {
    draw_line(paragraph, i, pen, plan);
  }
}

// What ReportLab spreads the space over: gaps between words and no-break spaces.
int Typesetter::count_gaps(const SetParagraph& paragraph, const Line& line) const {
  int gaps = line.word_count - 1;
  for (uint32_t r = line.run_begin; r < line.run_end; ++r) {
    const LineRun& run = paragraph.wrapped->runs[r];
    if (run.is_space()) continue;
    for (uint32_t i = run.begin; i < run.end; ++i) gaps += paragraph.text->chars[i].slot == kNbspSlot;
  }
  return gaps;
}

// _leftDrawParaLine and its kin: the "X" variants belong to complex paragraphs.
void Typesetter::draw_line(const SetParagraph& paragraph, size_t number, Pen& pen, PagePlan& plan) {
  const Line& line = paragraph.wrapped->lines[number];
  const bool complex = paragraph.wrapped->complex;
  const bool last = !paragraph.justify_last && number + 1 == paragraph.num_lines;
  const double extra = line.extra_space;
  const double offset = number == 0 ? paragraph.first_line_indent : 0;
  bool plain = extra > -kTiny;
  if (style_.alignment == Alignment::kJustify) {
    plain = (complex && line.is_break) || (extra > -kTiny && extra <= kTiny) || (last && extra > -kTiny);
  }
  const int gaps = plain ? 0 : count_gaps(paragraph, line);
  if (gaps <= 0) plain = true;

  double start = offset;
  bool move_first = true;   // before the word space is set
  bool move = true;
  if (style_.alignment == Alignment::kCenter || style_.alignment == Alignment::kRight) {
    if (plain) start = offset + (style_.alignment == Alignment::kCenter ? 0.5 * extra : extra);
    move_first = plain;
    move = plain || !complex;  // ReportLab forgets the move for a complex line whose spaces shrink
  }
  if (move && move_first) pen.move(start);
  if (!plain) pen.set_word_space(extra / static_cast<double>(gaps));
  if (move && !move_first) pen.move(start);
  show(paragraph, line, pen, plan);
  pen.next_line();
  if (!plain) pen.set_word_space(0);
  pen.move(-start);
}

void Typesetter::show(const SetParagraph& paragraph, const Line& line, Pen& pen, PagePlan& plan) {
  if (line.run_begin == line.run_end) return;
  pen.set_leading(device_line_height_);
  pen.start_text();
  const double baseline = pen.y() * -scale_ + origin_y_;
  const double word_space = pen.word_space();
  const LineRun* const runs = paragraph.wrapped->runs.data();
  size_t num_chars = 0;
  for (uint32_t r = line.run_begin; r < line.run_end; ++r) num_chars += runs[r].is_space() ? 0 : runs[r].end - runs[r].begin;
  pen_x_.resize(num_chars);
  float* pen_x = pen_x_.data();
  const size_t first_glyph = plan.glyphs.size();
  plan.glyphs.resize(first_glyph + num_chars);
  GlyphDraw* const glyphs = plan.glyphs.data();
  size_t next_glyph = first_glyph;

  PaintOp op;
  op.kind = PaintOp::Kind::kGlyphs;
  op.y0 = floor_pixel(baseline);
  op.begin = static_cast<uint32_t>(first_glyph);
  const auto close_op = [&] {
    op.end = static_cast<uint32_t>(next_glyph);
    if (op.end > op.begin) plan.ops.push_back(op);
    op.begin = op.end;
  };
  double x = pen.x();
  for (uint32_t r = line.run_begin; r < line.run_end; ++r) {
    const LineRun run = runs[r];
    if (run.is_space()) {
      x += table_.advance(kSpaceSlot) + word_space;
      continue;
    }
    if (colors_[run.color] != op.color) {
      close_op();
      op.color = colors_[run.color];
    }
    const TextChar* const chars = paragraph.text->chars.data();
    for (uint32_t i = run.begin; i < run.end; ++i) {
      const uint32_t slot = chars[i].slot;
      const double device_x = x * scale_ + origin_x_;
      const int pixel = floor_pixel(device_x);
      const uint32_t phase = static_cast<uint32_t>((device_x - pixel) * 4);
      *pen_x++ = static_cast<float>(device_x);
      glyphs[next_glyph] = {table_.glyph(slot) * 4 + phase, pixel};
      const bool is_space = slot <= kNbspSlot;
      next_glyph += !(is_space && blank_space_);
      x += is_space ? table_.advance(slot) + word_space : table_.advance(slot);
    }
  }
  close_op();
  plan.glyphs.resize(next_glyph);
  if (!text_.empty() && num_chars > 0) note_boxes(paragraph, line, baseline, x * scale_ + origin_x_, plan);
}

bool Typesetter::is_one_byte_at(const TextChar& character) const {
  return static_cast<uint8_t>(text_[character.source]) < 0x80;
}

// One PageLine from pen_x_. Source characters that are not drawn stand where the next one starts.
void Typesetter::note_boxes(const SetParagraph& paragraph, const Line& line, double baseline, double end_x, PagePlan& plan) {
  PageLine& box = plan.lines.emplace_back();
  std::vector<float>& char_x = box.char_x;
  const float* pen_x = pen_x_.data();
  const TextChar* const chars = paragraph.text->chars.data();
  size_t source = 0;  // next byte of the text that has no entry yet
  bool first = true;
  for (uint32_t r = line.run_begin; r < line.run_end; ++r) {
    const LineRun run = paragraph.wrapped->runs[r];
    if (run.is_space()) continue;
    if (first) {
      source = chars[run.begin].source;
      box.text_begin = base_ + source;
      first = false;
    }
    uint32_t i = run.begin;
    while (i < run.end) {
      // One-byte characters that follow each other in the source are copied at once.
      uint32_t end = i;
      while (end < run.end && chars[end].source == source + (end - i) && is_one_byte_at(chars[end])) ++end;
      if (end > i) {
        char_x.insert(char_x.end(), pen_x, pen_x + (end - i));
        source += end - i;
        pen_x += end - i;
        i = end;
        if (i == run.end) break;
      }
      if (chars[i].source >= source) {  // else a further character of the newline's mark
        while (source <= chars[i].source) {
          char_x.push_back(*pen_x);
          source += sequence_length(static_cast<uint8_t>(text_[source]));
        }
      }
      ++i;
      ++pen_x;
    }
  }
  box.text_end = base_ + source;
  char_x.push_back(static_cast<float>(end_x));
  box.x = pen_x_[0];
  box.top = static_cast<float>(baseline - style_.font_size * scale_);
  box.bottom = static_cast<float>(box.top + line_height_ * scale_);
}

}  // namespace glyph
