// Attention with many query rows, one pass over the keys (Dao et al., FlashAttention-2): keys and values are
// packed once for all queries, a block of scores lives in the first-level cache, and the running maximum and
// sum of each row rescale what was summed.
#include <algorithm>
#include <limits>

#include "ops/cpu/narrow_kv.h"
#include "ops/cpu/ops.h"
#include "ops/cpu/packed_kv.h"
#include "ops/cpu/scratch.h"

namespace glyph::ops::cpu {
namespace {

constexpr int64_t kKeyBlock = 512;  // keys of one softmax step; a multiple of every panel's columns
constexpr int64_t kTaskRows = 32;   // query rows that share a pass over the keys, about

PackedKv make_packed(const MatrixKernel& matrix, int64_t num_heads, int64_t num_keys, int64_t head_dim) {
  PackedKv packed{.matrix = matrix, .num_keys = num_keys, .head_dim = head_dim};
  const auto heads = static_cast<size_t>(num_heads);
  packed.keys = static_cast<std::byte*>(scratch_bytes(ScratchUse::kPanels, heads * packed.key_bytes()));
  packed.values =
      static_cast<std::byte*>(scratch_bytes(ScratchUse::kMorePanels, heads * packed.value_bytes()));
  return packed;
}

// pack(head, first key, number of keys) for every piece of every head.
template <typename Pack>
void for_pieces(CpuDevice& device, int64_t num_heads, int64_t num_keys, const Pack& pack) {
  const int64_t pieces = ceil_div(num_keys, kPieceKeys);
  device.threads().parallel_for(static_cast<size_t>(num_heads * pieces), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const int64_t first = static_cast<int64_t>(i) % pieces * kPieceKeys;
      pack(static_cast<int64_t>(i) / pieces, first, std::min(kPieceKeys, num_keys - first));
    }
  });
}

PackedKv pack_page(CpuDevice& device, const MatrixKernel& matrix, const ConstTensorView& k,
                   const ConstTensorView& v) {
  const PackedKv packed = make_packed(matrix, k.size(1), k.size(0), k.size(2));
  for_pieces(device, k.size(1), k.size(0), [&](int64_t head, int64_t first, int64_t count) {
    const auto source = [&](const ConstTensorView& view, int64_t row, int64_t num_rows) {
      const int64_t offset = row * view.stride(0) + head * view.stride(1);
      return PackSource{.data = static_cast<const std::byte*>(view.raw()) +
                                offset * static_cast<int64_t>(size_of(view.dtype())),
                        .dtype = view.dtype(),
                        .stride = view.stride(0),
                        .count = num_rows,
                        .depth = view.size(2)};
    };
    for (int64_t i = 0; i < kPieceKeys; i += matrix.columns) {
      const int64_t in_panel = std::clamp<int64_t>(count - i, 0, matrix.columns);
      matrix.pack(source(k, std::min(first + i, k.size(0) - 1), in_panel), 0,
                  packed.key_panel(head, first + i));
    }
    pack_values(packed, head, first, source(v, first, count));
  });
  return packed;
}

PackedKv pack_cache(CpuDevice& device, const Kernels& kernels, const MatrixKernel& matrix, const KvLayer& kv, int64_t num_keys) {
  const PackedKv packed = make_packed(matrix, kv.num_kv_heads, num_keys, kv.head_dim);
  for_pieces(device, kv.num_kv_heads, num_keys, [&](int64_t head, int64_t first, int64_t count) {
    const KvPiece piece{.kv_head = head, .first = first, .count = count};
    if (kv.dtype != DType::kE4M3) return pack_piece(kv, piece, packed, head, first);
    const WideKv wide(kernels, kv, piece, matrix.type);
    pack_piece(wide.layer(), {.kv_head = 0, .first = 0, .count = count}, packed, head, first);
  });
  return packed;
}

// What the query rows of one call have in common.
struct Queries {
  const Kernels& kernels;
  const PackedKv& packed;
  ConstTensorView q;
  TensorView out;
  float scale = 1;
  bool causal = false;
  int64_t first = 0;  // position of row 0 if causal
  int64_t group = 1;  // query heads a KV head

  int64_t num_visible(int64_t row) const { return causal ? first + row + 1 : packed.num_keys; }
};

// Some rows of one head and what was summed for them so far.
class RowBlock {
 public:
  RowBlock(const Queries& queries, int64_t head, int64_t row, int64_t count)
      : queries_(queries), matrix_(queries.packed.matrix), head_(head), row_(row), count_(count) {
    const int64_t head_dim = queries.packed.head_dim;
    const int64_t padded_rows = ceil_div(count, matrix_.rows) * matrix_.rows;
    product_stride_ = queries.packed.num_value_panels() * matrix_.columns;
    scores_ = scratch_floats(ScratchUse::kBlock, padded_rows * (kKeyBlock + product_stride_));
    product_ = scores_ + padded_rows * kKeyBlock;
    sums_ = scratch_floats(ScratchUse::kMoreBlock, count * (head_dim + head_dim + 3));
    converted_q_ = sums_ + count * head_dim;
    row_max_ = converted_q_ + count * head_dim;
    row_sum_ = row_max_ + count;
    row_factor_ = row_sum_ + count;
    std::fill_n(sums_, count * head_dim, 0.0f);
    std::fill_n(row_max_, count, -std::numeric_limits<float>::infinity());
    std::fill_n(row_sum_, count, 0.0f);
    find_queries();
  }

  void run() {
    const int64_t num_keys = queries_.num_visible(row_ + count_ - 1);
    for (int64_t key = 0; key < num_keys; key += kKeyBlock) {
      const int64_t num_block_keys = std::min(kKeyBlock, num_keys - key);
      score(key, num_block_keys);
      weigh(key, num_block_keys);
      add_values(key, num_block_keys);
    }
    store();
  }

 private:
  int64_t kv_head() const { return head_ / queries_.group; }

  // The kernel reads queries of its own type; bf16 rows on a machine without bf16 products are widened.
  void find_queries() {
    const ConstTensorView& q = queries_.q;
    const auto element = static_cast<int64_t>(size_of(q.dtype()));
    const auto* from =
        static_cast<const std::byte*>(q.raw()) + (row_ * q.stride(0) + head_ * q.stride(1)) * element;
    q_ = from;
    q_stride_ = q.stride(0);
    if (q.dtype() == matrix_.type) return;
    const int64_t head_dim = queries_.packed.head_dim;
    for (int64_t r = 0; r < count_; ++r) {
      queries_.kernels.widen(from + r * q.stride(0) * element, q.dtype(), head_dim,
                             converted_q_ + r * head_dim);
    }
    q_ = reinterpret_cast<const std::byte*>(converted_q_);
    q_stride_ = head_dim;
  }

  // scores_ (rows, kKeyBlock) = q k^T
  void score(int64_t key, int64_t num_keys) {
    const auto element = static_cast<int64_t>(size_of(matrix_.type));
    for (int64_t i = 0; i < num_keys; i += matrix_.columns) {
      const std::byte* panel = queries_.packed.key_panel(kv_head(), key + i);
      for (int64_t r = 0; r < count_; r += matrix_.rows) {
        const int num_rows = static_cast<int>(std::min<int64_t>(matrix_.rows, count_ - r));
        matrix_.multiply(q_ + r * q_stride_ * element, q_stride_, num_rows, queries_.packed.head_dim, panel,
                         scores_ + r * kKeyBlock + i, kKeyBlock);
      }
    }
  }

  // Scores become weights of the kernel's type in place, each row in the beginning of its own memory.
  void weigh(int64_t key, int64_t num_keys) {
    const int64_t padded = matrix_.padded_depth(num_keys);
    for (int64_t r = 0; r < count_; ++r) {
      const int64_t visible = std::clamp<int64_t>(queries_.num_visible(row_ + r) - key, 0, num_keys);
      float* row = scores_ + r * kKeyBlock;
      row_factor_[r] = queries_.kernels.softmax_step(row, visible, padded, queries_.scale, &row_max_[r],
                                                     &row_sum_[r], row, matrix_.type);
    }
  }

  void add_values(int64_t key, int64_t num_keys) {
    const int64_t head_dim = queries_.packed.head_dim;
    const int64_t weight_stride = kKeyBlock * static_cast<int64_t>(sizeof(float) / size_of(matrix_.type));
    const int64_t depth = matrix_.padded_depth(num_keys);
    for (int64_t panel = 0; panel < queries_.packed.num_value_panels(); ++panel) {
      const std::byte* values = queries_.packed.value_panel(kv_head(), panel, key);
      for (int64_t r = 0; r < count_; r += matrix_.rows) {
        const int64_t num_rows = std::min<int64_t>(matrix_.rows, count_ - r);
        matrix_.multiply(scores_ + r * kKeyBlock, weight_stride, static_cast<int>(num_rows), depth, values,
                         product_ + r * product_stride_ + panel * matrix_.columns, product_stride_);
      }
    }
    for (int64_t r = 0; r < count_; ++r) {
      queries_.kernels.rescale_add(sums_ + r * head_dim, product_ + r * product_stride_, row_factor_[r],
                                   head_dim);
    }
  }

  void store() {
    const int64_t head_dim = queries_.packed.head_dim;
    const TensorView& out = queries_.out;
    for (int64_t r = 0; r < count_; ++r) {
      auto* to = static_cast<std::byte*>(out.raw()) + ((row_ + r) * out.stride(0) + head_ * out.stride(1)) *
                                                          static_cast<int64_t>(size_of(out.dtype()));
      queries_.kernels.narrow(sums_ + r * head_dim, head_dim, 1.0f / row_sum_[r], to, out.dtype());
    }
  }

  const Queries& queries_;
  const MatrixKernel& matrix_;
  const int64_t head_, row_, count_;
  const std::byte* q_ = nullptr;
  int64_t q_stride_ = 0;
  float* scores_;   // (rows, kKeyBlock)
  float* product_;  // (rows, product_stride_)
  int64_t product_stride_;
  float* sums_;         // (rows, head_dim)
  float* converted_q_;  // (rows, head_dim)
  float* row_max_;      // (rows), likewise the next two
  float* row_sum_;
  float* row_factor_;
};

void attend(CpuDevice& device, const Queries& queries) {
  const MatrixKernel& matrix = queries.packed.matrix;
  const int64_t block_rows = std::max<int64_t>(1, kTaskRows / matrix.rows) * matrix.rows;
  const int64_t num_rows = queries.q.size(0), blocks = ceil_div(num_rows, block_rows);
  device.threads().parallel_for(
      static_cast<size_t>(queries.q.size(1) * blocks), 1, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) {
          // A causal row costs more the later it comes: heads innermost, so that neighbouring tasks cost the
          // same.
          const int64_t heads = queries.q.size(1), task = static_cast<int64_t>(i);
          const int64_t head = queries.causal ? task % heads : task / blocks;
          const int64_t row = (queries.causal ? task / heads : task % blocks) * block_rows;
          RowBlock(queries, head, row, std::min(block_rows, num_rows - row)).run();
        }
        if (matrix.end != nullptr) matrix.end();
      });
}

const MatrixKernel& matrix_for(const Kernels& kernels, DType type) {
  return type == DType::kBF16 && kernels.bf16 != nullptr ? *kernels.bf16 : *kernels.f32;
}

}  // namespace

void full_attention(CpuDevice& device, const ConstTensorView& q, const ConstTensorView& k,
                    const ConstTensorView& v, float scale, const TensorView& out) {
  const Kernels& kernels = kernels_for(device.level());
  const PackedKv packed = pack_page(device, matrix_for(kernels, q.dtype()), k, v);
  attend(device, {.kernels = kernels, .packed = packed, .q = q, .out = out, .scale = scale});
}

void causal_attention(CpuDevice& device, const ConstTensorView& q, const KvLayer& kv, int64_t first,
                      float scale, const TensorView& out) {
  if (q.size(0) == 0) return;
  const Kernels& kernels = kernels_for(device.level());
  const PackedKv packed = pack_cache(device, kernels, matrix_for(kernels, q.dtype()), kv, first + q.size(0));
  attend(device, {.kernels = kernels,
                  .packed = packed,
                  .q = q,
                  .out = out,
                  .scale = scale,
                  .causal = true,
                  .first = first,
                  .group = q.size(1) / kv.num_kv_heads});
}

}  // namespace glyph::ops::cpu
