// How commands write data and progress.
#pragma once

#include <string_view>

#include "glyph/status.h"
#include "ingest/ingest.h"
#include "progress.h"

namespace glyph {

// Everything to stdout, or kInternal (a full disk, a closed pipe).
Status write_stdout(std::string_view bytes);

// The same for text that a model wrote: on a terminal, control characters except line end and tab become U+FFFD, so that no
// document can make the model steer the terminal.
Status write_answer(std::string_view text);

// Lets reading a document report its pages on the line; `progress` must outlive the reading.
void show_progress_of(IngestOptions& options, ProgressLine& progress);

}  // namespace glyph
