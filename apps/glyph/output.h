// How commands write data and progress.
#pragma once

#include <string_view>

#include "glyph/status.h"
#include "ingest/ingest.h"
#include "progress.h"

namespace glyph {

// Everything to stdout, or kInternal (a full disk, a closed pipe).
Status write_stdout(std::string_view bytes);

// Lets reading a document report its pages on the line; `progress` must outlive the reading.
void show_progress_of(IngestOptions& options, ProgressLine& progress);

}  // namespace glyph
