// Which caches on disk a model may use.
#pragma once

#include "base/hash.h"
#include "engine/model.h"

namespace glyph {

// Equal for two processes whose features and keys and values would be bit by bit the same: the weights (of more than 256 MiB: samples
// of each tensor), the configuration, the prompt around pages, precision, layout and type of KV, processor, threads, and the program's version.
// Page style, font and text are in the pixels, which are the key of a page.
Digest cache_identity(const Model& model);

}  // namespace glyph
