#include "ops/cpu/split_attention.h"

#include <algorithm>

#include "ops/cpu/scratch.h"

namespace glyph::ops::cpu {
namespace {

const MatrixKernel* matrix_for(const Kernels& kernels, DType kv_type) {
  return kv_type == DType::kBF16 ? kernels.bf16 : nullptr;
}

DType wide_type(const Kernels& kernels) { return kernels.bf16 != nullptr ? DType::kBF16 : DType::kF32; }

void prefetch(const void* from, int64_t num_bytes) {
  for (int64_t i = 0; i < num_bytes; i += 64) __builtin_prefetch(static_cast<const std::byte*>(from) + i);
}

}  // namespace

SplitAttention::SplitAttention(const Kernels& kernels, const KvLayer& kv, int64_t kv_head, int64_t begin,
                               int64_t end)
    : kernels_(kernels),
      wide_(kv.dtype == DType::kE4M3 ? std::optional<WideKv>(std::in_place, kernels, kv, KvPiece{kv_head, begin, end - begin}, wide_type(kernels))
                                     : std::optional<WideKv>()),
      kv_(wide_ ? wide_->layer() : kv),
      matrix_(matrix_for(kernels, kv_.dtype)),
      kv_head_(wide_ ? 0 : kv_head),
      begin_(wide_ ? 0 : begin),
      count_(end - begin),
      packed_{.matrix = matrix_ != nullptr ? *matrix_ : *kernels.f32, .num_keys = kSplitTokens, .head_dim = kv.head_dim} {
  scores_ = scratch_floats(ScratchUse::kBlock,
                           kMaxSplitQueries * (kSplitTokens + packed_.num_value_panels() * packed_.matrix.columns));
  product_ = scores_ + kMaxSplitQueries * kSplitTokens;
  queries_ = static_cast<std::byte*>(
      scratch_bytes(ScratchUse::kMoreBlock, static_cast<size_t>(kMaxSplitQueries * kv.head_dim) * sizeof(float)));
  if (matrix_ != nullptr) pack();
}

void SplitAttention::end(const Kernels& kernels) {
  if (kernels.bf16 != nullptr && kernels.bf16->end != nullptr) kernels.bf16->end();
}

template <typename Visit>
void SplitAttention::for_pieces(const Visit& visit) const {
  for (int64_t i = 0; i < count_; i += kPieceKeys) {
    visit(KvPiece{.kv_head = kv_head_, .first = begin_ + i, .count = std::min(kPieceKeys, count_ - i)}, i);
  }
}

PackSource SplitAttention::keys_of(const KvPiece& piece) const {
  const int64_t token = piece.first % kv_.block_tokens;
  const auto* block = static_cast<const std::byte*>(kv_.blocks[static_cast<size_t>(piece.first / kv_.block_tokens)]);
  const int64_t offset = kv_head_ * kv_.head_dim * kv_.block_tokens + token;
  return {.data = block + kv_.key_offset + offset * static_cast<int64_t>(size_of(kv_.dtype)),
          .dtype = kv_.dtype,
          .stride = kv_.block_tokens,
          .count = kv_.head_dim,
          .depth = piece.count};
}

PackSource SplitAttention::values_of(const KvPiece& piece) const {
  const int64_t token = piece.first % kv_.block_tokens;
  const auto* block = static_cast<const std::byte*>(kv_.blocks[static_cast<size_t>(piece.first / kv_.block_tokens)]);
  const int64_t offset = (kv_head_ * kv_.block_tokens + token) * kv_.head_dim;
  return {.data = block + kv_.value_offset + offset * static_cast<int64_t>(size_of(kv_.dtype)),
          .dtype = kv_.dtype,
          .stride = kv_.head_dim,
          .count = piece.count,
          .depth = kv_.head_dim};
}

void SplitAttention::pack() {
  packed_.keys = static_cast<std::byte*>(scratch_bytes(ScratchUse::kPanels, packed_.key_bytes()));
  packed_.values = static_cast<std::byte*>(scratch_bytes(ScratchUse::kMorePanels, packed_.value_bytes()));
  const int64_t piece_bytes = kPieceKeys * kv_.head_dim * static_cast<int64_t>(size_of(kv_.dtype));
  for_pieces([&](const KvPiece& piece, int64_t offset) {
    if (offset + kPieceKeys < count_) {
      const KvPiece next{.kv_head = kv_head_, .first = piece.first + kPieceKeys, .count = kPieceKeys};
      prefetch(keys_of(next).data, piece_bytes);
      prefetch(values_of(next).data, piece_bytes);
    }
    pack_piece(kv_, piece, packed_, 0, offset);
  });
}

void SplitAttention::attend(std::span<const SplitQuery> queries, DType q_type, float scale) {
  load_queries(queries, q_type);
  score(static_cast<int64_t>(queries.size()));
  weigh(queries, scale);
  add_values(queries);
}

void SplitAttention::load_queries(std::span<const SplitQuery> queries, DType q_type) {
  const DType type = matrix_ != nullptr ? matrix_->type : DType::kF32;
  const size_t row_bytes = static_cast<size_t>(kv_.head_dim) * size_of(type);
  for (size_t i = 0; i < queries.size(); ++i) {
    std::byte* to = queries_ + i * row_bytes;
    if (q_type == type) {
      std::copy_n(queries[i].q, row_bytes, to);
    } else if (type == DType::kF32) {
      kernels_.widen(queries[i].q, q_type, kv_.head_dim, reinterpret_cast<float*>(to));
    } else {
      kernels_.narrow(reinterpret_cast<const float*>(queries[i].q), kv_.head_dim, 1.0f, to, type);
    }
  }
}

void SplitAttention::score(int64_t num_queries) {
  if (matrix_ == nullptr) {
    std::fill_n(scores_, num_queries * kSplitTokens, 0.0f);
    for_pieces([&](const KvPiece& piece, int64_t offset) {
      kernels_.weighted_rows(reinterpret_cast<const float*>(queries_), kv_.head_dim, static_cast<int>(num_queries),
                             keys_of(piece), scores_ + offset, kSplitTokens);
    });
    return;
  }
  const auto row_bytes = kv_.head_dim * static_cast<int64_t>(size_of(matrix_->type));
  for (int64_t key = 0; key < count_; key += matrix_->columns) {
    for (int64_t i = 0; i < num_queries; i += matrix_->rows) {
      const int num_rows = static_cast<int>(std::min<int64_t>(matrix_->rows, num_queries - i));
      matrix_->multiply(queries_ + i * row_bytes, kv_.head_dim, num_rows, kv_.head_dim, packed_.key_panel(0, key),
                        scores_ + i * kSplitTokens + key, kSplitTokens);
    }
  }
}

// Scores become weights in place, each row in the beginning of its own memory.
void SplitAttention::weigh(std::span<const SplitQuery> queries, float scale) {
  const int64_t padded = matrix_ != nullptr ? matrix_->padded_depth(count_) : count_;
  const DType type = matrix_ != nullptr ? matrix_->type : DType::kF32;
  for (size_t i = 0; i < queries.size(); ++i) {
    float* row = scores_ + static_cast<int64_t>(i) * kSplitTokens;
    Partial& partial = *queries[i].partial;
    kernels_.softmax_step(row, queries[i].num_visible, padded, scale, &partial.max, &partial.sum, row, type);
  }
}

void SplitAttention::add_values(std::span<const SplitQuery> queries) {
  const auto num_queries = static_cast<int64_t>(queries.size()), head_dim = kv_.head_dim;
  const int64_t stride = matrix_ != nullptr ? product_stride() : head_dim;
  if (matrix_ == nullptr) {
    std::fill_n(product_, num_queries * stride, 0.0f);
    for_pieces([&](const KvPiece& piece, int64_t offset) {
      kernels_.weighted_rows(scores_ + offset, kSplitTokens, static_cast<int>(num_queries), values_of(piece), product_,
                             stride);
    });
  } else {
    const int64_t weight_stride = kSplitTokens * static_cast<int64_t>(sizeof(float) / size_of(matrix_->type));
    for (int64_t panel = 0; panel < packed_.num_value_panels(); ++panel) {
      for (int64_t i = 0; i < num_queries; i += matrix_->rows) {
        const int num_rows = static_cast<int>(std::min<int64_t>(matrix_->rows, num_queries - i));
        matrix_->multiply(scores_ + i * kSplitTokens, weight_stride, num_rows, matrix_->padded_depth(count_),
                          packed_.value_panel(0, panel, 0), product_ + i * stride + panel * matrix_->columns, stride);
      }
    }
  }
  for (int64_t i = 0; i < num_queries; ++i) {
    std::copy_n(product_ + i * stride, head_dim, queries[static_cast<size_t>(i)].sums);
  }
}

}  // namespace glyph::ops::cpu
