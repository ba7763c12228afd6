// Image -> PNG bytes.
#pragma once

#include <string>

#include "glyph/document.h"
#include "glyph/status.h"

namespace glyph {

// `level` is zlib's, 0 (store) to 9; 1 is the best trade for pages. kInternal when libpng fails.
Result<std::string> encode_png(const Image& image, int level = 1);

}  // namespace glyph
