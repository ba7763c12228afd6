// What a document's folder says of it, besides its content: meta.json from the upload on, reading.json once it was read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "glyph/status.h"
#include "schedule/request.h"

namespace glyph {

struct SavedMeta {
  std::string name;
  std::string style;       // overrides
  int64_t created_at = 0;  // Unix seconds
};

// What came of reading it. With `known` and what the caches on disk hold, nothing has to be opened, drawn or read before a question asks.
struct SavedReading {
  std::string identity;  // Scheduler::disk_identity(): of the model that read it, and all else that caches depend on
  Source::Known known;   // no pages: it was opened, not read
  int64_t prompt_tokens = 0, image_tokens = 0;
  double dpi = 72;
  std::vector<std::string> warnings;
};

Status save_meta(const std::filesystem::path& dir, const SavedMeta& meta);
Status save_reading(const std::filesystem::path& dir, const SavedReading& reading);
// Nothing when it is not there or none of ours.
std::optional<SavedMeta> load_meta(const std::filesystem::path& dir);
std::optional<SavedReading> load_reading(const std::filesystem::path& dir);

// For the two above, and the fuzzer.
std::optional<SavedReading> parse_saved_reading(std::string_view text);

}  // namespace glyph
