// Numbers as they travel through the reference pipeline: printed by ReportLab, read back by poppler. Both steps round, and a
// page is only equal if ours rounds the same way.
#pragma once

namespace glyph {

struct PdfNumber {
  double exact = 0;   // the printed decimal, correctly rounded (what Python's float() reads)
  double device = 0;  // the printed decimal as poppler's lexer accumulates it, digit by digit
};

// ReportLab's fp_str: at most 7 significant digits, 6 after the point.
PdfNumber print_pdf_number(double value);

}  // namespace glyph
