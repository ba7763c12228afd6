// Settings -> the options of the rooms that read and draw documents.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>

#include "glyph/document.h"
#include "glyph/page_style.h"
#include "glyph/status.h"
#include "ingest/ingest.h"
#include "render/renderer.h"
#include "settings.h"

namespace glyph {

Result<IngestOptions> ingest_options(const Settings& settings, std::stop_token stop);

// What the user said about pages: a style file, a resolution. Read before the document, so that a wrong style costs nothing.
struct StyleChoice {
  std::optional<PageStyle> style;
  std::optional<double> dpi;

  // The chosen style, or the one of the document's language; then the chosen resolution.
  PageStyle for_document(const Document& document) const;
};
Result<StyleChoice> style_choice(const Settings& settings);

Result<RenderOptions> render_options(const Settings& settings);

// The document's warnings and a guessed encoding, as log lines.
void log_document(const Document& document);

}  // namespace glyph
