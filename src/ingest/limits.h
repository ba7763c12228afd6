// IngestLimits: how much of anything a document may cost. Every refusal names the limit and the value seen.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glyph {

struct IngestLimits {
  size_t file_bytes = size_t{256} << 20;     // bytes of one input file
  size_t inflated_bytes = size_t{1} << 30;   // bytes that all parts of a DOCX, or the text of any document, may grow to
  size_t inflate_ratio = 100;                // inflated : compressed of one DOCX part, counted once a part passes 1 MiB
  size_t zip_entries = 4096;                 // entries of a DOCX
  size_t pages = 10000;                      // pages of a PDF
  int image_side = 8192;                     // pixels, width or height of a picture, checked before it is decoded
  int64_t image_pixels = 36'000'000;         // pixels of one picture
  size_t image_bytes = size_t{1} << 30;      // bytes of all decoded pictures of one document
  int page_image_dpi = 72;                   // dots an inch at which a PDF page without text is drawn
  int nesting = 256;                         // depth of nested elements in DOCX parts and HTML
  double helper_seconds = 60;                // wall clock (and CPU) of glyph-extract for one file
  size_t helper_memory = size_t{1} << 30;    // bytes of address space of glyph-extract
};

}  // namespace glyph
