// Whole small files in one call.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "glyph/status.h"

namespace glyph {

// The bytes of a file of at most `max_bytes`. kNotFound, kRefused (not a file, or larger: names limit and size), kInternal.
Result<std::string> read_file(const std::filesystem::path& path, size_t max_bytes);

// Writes a temporary file beside `path`, syncs it, and renames it over `path`: readers see the old bytes or the new ones. kExhausted: there
// is no room on the disk; kInternal.
Status write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

}  // namespace glyph
