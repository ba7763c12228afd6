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
// (ops::KvLayer). Scales follow.
void clear_positions_from(std::span<uint8_t> block, const KvLayout& layout, bool on_host, int64_t begin) {
  const auto heads = static_cast<size_t>(layout.num_kv_heads), dim = static_cast<size_t>(layout.head_dim);
  const auto tokens = static_cast<size_t>(layout.block_tokens), first = static_cast<size_t>(begin);
  const size_t element = size_of(layout.dtype);
  uint8_t* at = block.data();
  for (int64_t half = 0; half < 2 * layout.num_layers; ++half, at += layout.half_layer_bytes()) {
    const bool keys = half % 2 == 0;
    if (keys && on_host) clear_columns(at, heads * dim, tokens * element, first * element);
    else clear_columns(at, heads, tokens * dim * element, first * dim * element);
    const size_t scales = heads * tokens * dim * element;
    if (scales < layout.half_layer_bytes()) clear_columns(at + scales, heads, tokens * sizeof(float), first * sizeof(float));
  }
}

}  // namespace

Result<std::vector<KvBlockPool::BlockPtr>> allocate_blocks(KvBlockPool& pool, size_t count) {
  std::vector<KvBlockPool::BlockPtr> blocks;
  while (blocks.size() < count) {
    GLYPH_ASSIGN_OR_RETURN(KvBlockPool::BlockPtr block, pool.allocate());
    blocks.push_back(std::move(block));
  }
  return blocks;
}

void download_blocks(const KvBlockPool& pool, std::span<const KvBlockPool::BlockPtr> blocks, std::span<uint8_t> bytes) {
  const size_t size = pool.layout().block_bytes();
  GLYPH_CHECK(bytes.size() == blocks.size() * pool.layout().all_block_bytes());
  uint8_t* at = bytes.data();
  for (const KvBlockPool::BlockPtr& block : blocks) {
    for (int rank = 0; rank < pool.num_ranks(); ++rank, at += size) pool.device(rank).download(at, block->of(rank).get(), size);
  }
}

void upload_blocks(const KvBlockPool& pool, std::span<const uint8_t> bytes, std::span<const KvBlockPool::BlockPtr> blocks) {
  const size_t size = pool.layout().block_bytes();
  GLYPH_CHECK(bytes.size() == blocks.size() * pool.layout().all_block_bytes());
  const uint8_t* at = bytes.data();
  for (const KvBlockPool::BlockPtr& block : blocks) {
    for (int rank = 0; rank < pool.num_ranks(); ++rank, at += size) pool.device(rank).upload(block->of(rank).get(), at, size);
  }
}

void clear_behind(const KvBlockPool& pool, int64_t end_tokens, std::span<uint8_t> bytes) {
  const KvLayout& layout = pool.layout();
  const int64_t in_last = end_tokens % layout.block_tokens;
  if (in_last == 0) return;
  uint8_t* at = bytes.data() + bytes.size() - layout.all_block_bytes();
  for (int rank = 0; rank < pool.num_ranks(); ++rank, at += layout.block_bytes()) {
    clear_positions_from({at, layout.block_bytes()}, layout, pool.device().host_memory(), in_last);
  }
}

}  // namespace glyph
