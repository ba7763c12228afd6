// Blocks of the KV cache as plain bytes, and back. Bytes of one kind of device mean nothing to another.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "language/kv_cache.h"

namespace glyph {

// Copies whole blocks to `bytes` (blocks * all_block_bytes), of each the parts of all devices in their order; the positions of the last block from `num_tokens` on,
// which may hold anything, become zeros.
void download_blocks(const KvBlockPool& pool, std::span<const KvBlockPool::BlockPtr> blocks, int64_t num_tokens, std::span<uint8_t> bytes);
// New blocks of the pool with these bytes (blocks * all_block_bytes). kExhausted.
Result<std::vector<KvBlockPool::BlockPtr>> upload_blocks(KvBlockPool& pool, std::span<const uint8_t> bytes);

}  // namespace glyph
