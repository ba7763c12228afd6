// What is asked about: documents of an exact number of pages, and one tall picture.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "glyph/document.h"
#include "glyph/page_style.h"
#include "glyph/status.h"

namespace glyph {

// A document and how it is drawn.
struct Workload {
  std::string name;
  std::shared_ptr<const Document> document;
  PageStyle style;
  int64_t text_bytes = 0;  // of the document; 0: a picture
};

// Words that fill `num_pages` whole pages of `style`, the last one at least begun; other words for another `variant`. Pages are not cropped, so that each is
// as large as the style says: an A4 page at 72 dpi has 2,520 patches.
Result<Workload> text_workload(int64_t num_pages, PageStyle style, uint32_t variant = 0);

// One grey picture.
Workload picture_workload(int width, int height);

}  // namespace glyph
