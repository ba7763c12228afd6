// Blocks of the KV cache as plain bytes, and back. Bytes of one kind of device mean nothing to another.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "language/kv_cache.h"

namespace glyph {

// New blocks of the pool. kExhausted.
Result<std::vector<KvBlockPool::BlockPtr>> allocate_blocks(KvBlockPool& pool, size_t count);
// Copies whole blocks to or from `bytes` (blocks * all_block_bytes), of each the parts of all devices in their order.
void download_blocks(const KvBlockPool& pool, std::span<const KvBlockPool::BlockPtr> blocks, std::span<uint8_t> bytes);
void upload_blocks(const KvBlockPool& pool, std::span<const uint8_t> bytes, std::span<const KvBlockPool::BlockPtr> blocks);
// Of blocks that end with token `end_tokens` of a sequence: the positions behind it, which may hold anything, become zeros.
void clear_behind(const KvBlockPool& pool, int64_t end_tokens, std::span<uint8_t> bytes);

}  // namespace glyph
