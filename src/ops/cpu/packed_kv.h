// Keys and values in the order a matrix kernel reads them, for attention with many query rows.
#pragma once

#include "ops/attention.h"
#include "ops/cpu/kernels.h"

namespace glyph::ops::cpu {

constexpr int64_t kPieceKeys = 64;  // keys packed at once; divides the tokens of a KV block

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Keys and values of some KV heads; looks at memory that the caller owns.
struct PackedKv {
  const MatrixKernel& matrix;
  int64_t num_keys = 0;
  int64_t head_dim = 0;
  std::byte* keys = nullptr;
  std::byte* values = nullptr;

  int64_t padded_keys() const { return ceil_div(num_keys, kPieceKeys) * kPieceKeys; }
  size_t key_panel_bytes() const { return matrix.panel_bytes(head_dim); }
  size_t key_bytes() const { return static_cast<size_t>(padded_keys() / matrix.columns) * key_panel_bytes(); }
  size_t value_panel_bytes() const { return matrix.panel_bytes(padded_keys()); }
  int64_t num_value_panels() const { return ceil_div(head_dim, matrix.columns); }
  size_t value_bytes() const { return static_cast<size_t>(num_value_panels()) * value_panel_bytes(); }

  std::byte* key_panel(int64_t head, int64_t key) const {
    return keys + static_cast<size_t>(head) * key_bytes() +
           static_cast<size_t>(key / matrix.columns) * key_panel_bytes();
  }
  // The rows from `key` on of the panel of columns [panel * columns, ...).
  std::byte* value_panel(int64_t head, int64_t panel, int64_t key) const {
    return values + static_cast<size_t>(head) * value_bytes() +
           static_cast<size_t>(panel) * value_panel_bytes() +
           static_cast<size_t>(key * matrix.columns) * size_of(matrix.type);
  }
};

// Values of up to kPieceKeys keys, rows of `source`, to key `to`, a multiple of kPieceKeys.
void pack_values(const PackedKv& packed, int64_t head, int64_t to, const PackSource& source);

// Positions of a cache that lie in one block: `count` <= kPieceKeys of them from `first` on.
struct KvPiece {
  int64_t kv_head = 0;
  int64_t first = 0;  // a multiple of kPieceKeys
  int64_t count = 0;
};

// Keys and values of a piece become those of `head` from key `to` on, a multiple of kPieceKeys.
void pack_piece(const KvLayer& kv, const KvPiece& piece, const PackedKv& packed, int64_t head, int64_t to);

}  // namespace glyph::ops::cpu
