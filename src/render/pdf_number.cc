#include "render/pdf_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace glyph {

namespace {

// poppler's Lexer: integer digits as an integer, then xf += scale * digit with scale *= 0.1.
double read_digit_by_digit(const char* text) {
  const bool negative = *text == '-';
  if (negative) ++text;
  double value = 0;
  for (; *text >= '0' && *text <= '9'; ++text) value = value * 10.0 + (*text - '0');
  if (*text == '.') {
    double scale = 0.1;
    for (++text; *text >= '0' && *text <= '9'; ++text) {
      value = value + scale * (*text - '0');
      scale *= 0.1;
    }
  }
  return negative ? -value : value;
}

}  // namespace

PdfNumber print_pdf_number(double value) {
  const double magnitude = std::fabs(value);
  if (magnitude <= 1e-7) return {};
  int decimals = 6;
  if (magnitude > 1) decimals = std::clamp(6 - static_cast<int>(std::log10(magnitude)), 0, 6);
  char text[400];  // a double has at most 309 digits before the point
  char* const end = std::to_chars(text, text + sizeof text - 1, value, std::chars_format::fixed, decimals).ptr;
  *end = '\0';
  // ReportLab strips trailing zeros; adding 0 * scale changes neither reading.
  PdfNumber number;
  std::from_chars(text, end, number.exact);
  number.device = read_digit_by_digit(text);
  return number;
}

}  // namespace glyph
