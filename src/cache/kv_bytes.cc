#include "cache/kv_bytes.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace glyph {
namespace {

// Clears columns [begin, columns) of a dense (rows, columns) matrix.
void clear_columns(uint8_t* matrix, size_t rows, size_t columns, size_t begin) {
  for (size_t row = 0; row < rows; ++row) std::memset(matrix + row * columns + begin, 0, columns - begin);
}

// Keys are (kv_heads, head_dim, block_tokens) on the host and (kv_heads, block_tokens, head_dim) on a GPU; values always the latter
// (ops::KvLayer).
void clear_positions_from(std::span<uint8_t> block, const KvLayout& layout, bool on_host, int64_t begin) {
  const auto heads = static_cast<size_t>(layout.num_kv_heads), dim = static_cast<size_t>(layout.head_dim);
  const auto tokens = static_cast<size_t>(layout.block_tokens), first = static_cast<size_t>(begin);
  const size_t element = size_of(layout.dtype);
  uint8_t* at = block.data();
  for (int64_t half = 0; half < 2 * layout.num_layers; ++half, at += layout.half_layer_bytes()) {
    const bool keys = half % 2 == 0;
    if (keys && on_host) clear_columns(at, heads * dim, tokens * element, first * element);
    else clear_columns(at, heads, tokens * dim * element, first * dim * element);
  }
}

}  // namespace

void download_blocks(Device& device, const KvLayout& layout, std::span<const KvBlockPool::BlockPtr> blocks, int64_t num_tokens,
                     std::span<uint8_t> bytes) {
  const size_t size = layout.block_bytes();
  GLYPH_CHECK(bytes.size() == blocks.size() * size);
  for (size_t i = 0; i < blocks.size(); ++i) device.download(bytes.data() + i * size, blocks[i]->memory.get(), size);
  if (num_tokens < layout.block_tokens) clear_positions_from(bytes.last(size), layout, device.host_memory(), num_tokens);
}

Result<std::vector<KvBlockPool::BlockPtr>> upload_blocks(KvBlockPool& pool, std::span<const uint8_t> bytes) {
  const size_t size = pool.layout().block_bytes();
  GLYPH_CHECK(bytes.size() % size == 0);
  std::vector<KvBlockPool::BlockPtr> blocks;
  for (size_t at = 0; at < bytes.size(); at += size) {
    GLYPH_ASSIGN_OR_RETURN(KvBlockPool::BlockPtr block, pool.allocate());
    pool.device().upload(block->memory.get(), bytes.data() + at, size);
    blocks.push_back(std::move(block));
  }
  return blocks;
}

}  // namespace glyph
