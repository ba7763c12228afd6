// Which caches on disk a model may use.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/hash.h"
#include "cache/disk_tier.h"
#include "engine/model.h"

namespace glyph {

// Equal for two processes whose features and keys and values would be bit by bit the same: the weights (of more than 256 MiB: samples
// of each tensor), the configuration, the prompt around pages, precision, layout and type of KV, processor, threads, and the program's version.
// GPUs of one type may differ in rounding: each times its matrix products and chooses for itself (ops/cuda/matrix_choices.h).
// Page style, font and text are in the pixels, which are the key of a page.
Digest cache_identity(const Model& model);

// What this model may find and keep below `dir`, at most `max_bytes` of it. nullptr without either, or, with a warning, when the folder
// cannot be used: that costs time, not the server.
DiskTierPtr open_disk(const Model& model, const std::filesystem::path& dir, uint64_t max_bytes);

}  // namespace glyph
