// PDF -> text in reading order, and a picture for a page without text. Uses poppler (GPL), inside glyph-extract only.
#pragma once

#include <string_view>

#include "glyph/status.h"
#include "glyph_extract/frame_sink.h"
#include "ingest/extract_protocol.h"

namespace glyph {

// Loads what poppler would load later, from files that lie outside the sandbox: iconv's modules, fontconfig's list.
void warm_up_pdf();

// Sends the pages of the request's part. kRefused for a PDF that is encrypted, truncated or damaged, or has too many pages.
Status read_pdf(std::string_view bytes, const ExtractRequest& request, FrameSink& sink);

std::string_view poppler_version();

}  // namespace glyph
