#include "ops/cpu/packed_kv.h"

#include <algorithm>

namespace glyph::ops::cpu {

void pack_values(const PackedKv& packed, int64_t head, int64_t to, const PackSource& source) {
  for (int64_t panel = 0; panel < packed.num_value_panels(); ++panel) {
    PackSource part = source;
    const int64_t column = panel * packed.matrix.columns;
    part.data =
        static_cast<const std::byte*>(source.data) + column * static_cast<int64_t>(size_of(source.dtype));
    part.depth = std::min<int64_t>(packed.matrix.columns, packed.head_dim - column);
    std::byte* panel_rows = packed.value_panel(head, panel, to);
    packed.matrix.pack_transposed(part, panel_rows);
    // A piece that is not full: its remaining rows must not hold old numbers, zero weights multiply them.
    const size_t row_bytes = static_cast<size_t>(packed.matrix.columns) * size_of(packed.matrix.type);
    const int64_t filled = packed.matrix.padded_depth(part.count);
    std::fill_n(panel_rows + static_cast<size_t>(filled) * row_bytes,
                static_cast<size_t>(kPieceKeys - filled) * row_bytes, std::byte{0});
  }
}

void pack_piece(const KvLayer& kv, const KvPiece& piece, const PackedKv& packed, int64_t head, int64_t to) {
  const auto element = static_cast<int64_t>(size_of(kv.dtype));
  const auto* block =
      static_cast<const std::byte*>(kv.blocks[static_cast<size_t>(piece.first / kv.block_tokens)]);
  const int64_t head_offset = piece.kv_head * kv.head_dim * kv.block_tokens;
  const int64_t token = piece.first % kv.block_tokens;
  for (int64_t i = 0; i < kPieceKeys; i += packed.matrix.columns) {
    const PackSource keys{.data = block + kv.key_offset + (head_offset + token + i) * element,
                          .dtype = kv.dtype,
                          .stride = kv.block_tokens,
                          .count = kv.head_dim,
                          .depth = std::clamp<int64_t>(piece.count - i, 0, packed.matrix.columns)};
    packed.matrix.pack_transposed(keys, packed.key_panel(head, to + i));
  }
  pack_values(packed, head, to,
              {.data = block + kv.value_offset + (head_offset + token * kv.head_dim) * element,
               .dtype = kv.dtype,
               .stride = kv.head_dim,
               .count = piece.count,
               .depth = kv.head_dim});
}

}  // namespace glyph::ops::cpu
