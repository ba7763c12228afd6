// One KV head over a few hundred positions, for some query vectors: the piece of work of decode_attention.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "ops/attention.h"
#include "ops/cpu/kernels.h"
#include "ops/cpu/narrow_kv.h"
#include "ops/cpu/packed_kv.h"

namespace glyph::ops::cpu {

constexpr int64_t kSplitTokens = 512;     // positions of one piece of work; a multiple of kPieceKeys
constexpr int64_t kMaxSplitQueries = 32;  // query vectors at once

// What one piece summed for a query vector, not yet divided.
struct Partial {
  float max = -std::numeric_limits<float>::infinity();
  float sum = 0;
};

struct SplitQuery {
  const std::byte* q = nullptr;  // (head_dim)
  int64_t num_visible = 0;       // positions of the split that it sees, from the first on; at least 1
  Partial* partial = nullptr;    // as made
  float* sums = nullptr;         // (head_dim), overwritten
};

// bf16 keys on a machine with bf16 products: packed once, then multiplied with bf16 queries and weights, as in
// causal_attention. Otherwise keys and values are read where they lie, and all is f32. e4m3 is widened first, to what this machine
// multiplies best. Lives in scratch memory of the thread: one at a time.
class SplitAttention {
 public:
  // Positions [begin, end) of a layer; begin is a multiple of kSplitTokens.
  SplitAttention(const Kernels& kernels, const KvLayer& kv, int64_t kv_head, int64_t begin, int64_t end);

  // Up to kMaxSplitQueries of them, of type `q_type`.
  void attend(std::span<const SplitQuery> queries, DType q_type, float scale);

  // Gives back machine state after the last one on a thread.
  static void end(const Kernels& kernels);

 private:
  void pack();
  void load_queries(std::span<const SplitQuery> queries, DType q_type);
  void score(int64_t num_queries);
  void weigh(std::span<const SplitQuery> queries, float scale);
  void add_values(std::span<const SplitQuery> queries);
  // visit(piece, offset of its first position in the split)
  template <typename Visit>
  void for_pieces(const Visit& visit) const;
  PackSource keys_of(const KvPiece& piece) const;
  PackSource values_of(const KvPiece& piece) const;

  const Kernels& kernels_;
  std::optional<WideKv> wide_;  // of positions [begin, end)
  const KvLayer& kv_;           // the layer, or the wide one
  const MatrixKernel* const matrix_;  // null: nothing is packed
  const int64_t kv_head_, begin_, count_;  // in kv_
  PackedKv packed_;
  std::byte* queries_;  // (queries, head_dim), bf16 or f32
  float* scores_;       // (queries, kSplitTokens)
  float* product_;      // (queries, product_stride())
  int64_t product_stride() const { return packed_.num_value_panels() * matrix_->columns; }
};

}  // namespace glyph::ops::cpu
