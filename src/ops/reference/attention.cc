#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "ops/reference/access.h"
#include "ops/reference/ops.h"

namespace glyph::ops::reference {
namespace {

// One head of one row; key(t, d) and value(t, d) give the elements.
using Element = std::function<double(int64_t token, int64_t d)>;

struct Head {
  int64_t row = 0;
  int64_t head = 0;
  int64_t num_visible = 0;
  float scale = 1;
};

void attend(const ConstTensorView& q, const Head& at, const Element& key, const Element& value,
            const TensorView& out) {
  const int64_t head_dim = q.size(2);
  std::vector<double> p(static_cast<size_t>(at.num_visible));
  double largest = -INFINITY, total = 0;
  for (int64_t t = 0; t < at.num_visible; ++t) {
    double score = 0;
    for (int64_t d = 0; d < head_dim; ++d) score += get(q, at.row, at.head, d) * key(t, d);
    p[static_cast<size_t>(t)] = score * at.scale;
    largest = std::max(largest, score * at.scale);
  }
  for (double& weight : p) total += weight = std::exp(weight - largest);
  for (int64_t d = 0; d < head_dim; ++d) {
    double sum = 0;
    for (int64_t t = 0; t < at.num_visible; ++t) sum += p[static_cast<size_t>(t)] * value(t, d);
    put(out, at.row, at.head, d, sum / total);
  }
}

void* head_data(const KvLayer& kv, int64_t token, int64_t head, size_t offset) {
  auto* block = static_cast<std::byte*>(kv.blocks[static_cast<size_t>(token / kv.block_tokens)]);
  return block + offset + static_cast<size_t>(head * kv.head_dim * kv.block_tokens) * size_of(kv.dtype);
}
// Offsets inside one head of a block, in elements.
int64_t key_index(const KvLayer& kv, int64_t token, int64_t d) {
  return d * kv.block_tokens + token % kv.block_tokens;
}
int64_t value_index(const KvLayer& kv, int64_t token, int64_t d) {
  return token % kv.block_tokens * kv.head_dim + d;
}

// Of e4m3 keys or values, which begin at `offset`.
float& scale_of(const KvLayer& kv, int64_t token, int64_t head, size_t offset) {
  auto* block = static_cast<std::byte*>(kv.blocks[static_cast<size_t>(token / kv.block_tokens)]);
  return reinterpret_cast<float*>(block + offset + kv.scale_offset())[head * kv.block_tokens + token % kv.block_tokens];
}

double cached(const KvLayer& kv, int64_t token, int64_t head, size_t offset, int64_t index) {
  const void* data = head_data(kv, token, head, offset);
  if (kv.dtype != DType::kE4M3) return get(data, kv.dtype, index);
  return double{to_float(static_cast<const E4M3*>(data)[index])} * scale_of(kv, token, head, offset);
}

// One head of row `row` of x, keys or values, becomes position `token`; index(d) says where element d lies.
template <typename Index>
void put_cached(const ConstTensorView& x, int64_t row, int64_t head, const KvLayer& kv, int64_t token, size_t offset, const Index& index) {
  void* data = head_data(kv, token, head, offset);
  if (kv.dtype != DType::kE4M3) {
    for (int64_t d = 0; d < kv.head_dim; ++d) put(data, kv.dtype, index(d), get(x, row, head, d));
    return;
  }
  float largest = 0;
  bool broken = false;
  for (int64_t d = 0; d < kv.head_dim; ++d) {
    const auto value = static_cast<float>(get(x, row, head, d));
    largest = std::max(largest, std::abs(value));
    broken = broken || std::isnan(value);
  }
  const float factor = e4m3_factor(largest);
  for (int64_t d = 0; d < kv.head_dim; ++d) {
    static_cast<E4M3*>(data)[index(d)] = to_e4m3(static_cast<float>(get(x, row, head, d)) * factor);
  }
  scale_of(kv, token, head, offset) = broken ? std::numeric_limits<float>::quiet_NaN() : largest / kLargestE4M3;
}

void attend_cached(const ConstTensorView& q, const Head& at, const KvLayer& kv, const TensorView& out) {
  const int64_t kv_head = at.head / (q.size(1) / kv.num_kv_heads);
  attend(
      q, at,
      [&](int64_t t, int64_t d) { return cached(kv, t, kv_head, kv.key_offset, key_index(kv, t, d)); },
      [&](int64_t t, int64_t d) { return cached(kv, t, kv_head, kv.value_offset, value_index(kv, t, d)); }, out);
}

}  // namespace

void full_attention(const ConstTensorView& q, const ConstTensorView& k, const ConstTensorView& v, float scale,
                    const TensorView& out) {
  for (int64_t row = 0; row < q.size(0); ++row) {
    for (int64_t head = 0; head < q.size(1); ++head) {
      attend(
          q, {.row = row, .head = head, .num_visible = k.size(0), .scale = scale},
          [&](int64_t t, int64_t d) { return get(k, t, head, d); },
          [&](int64_t t, int64_t d) { return get(v, t, head, d); }, out);
    }
  }
}

void store_kv(const ConstTensorView& k, const ConstTensorView& v, int64_t first, const KvLayer& kv) {
  for (int64_t i = 0; i < k.size(0); ++i) {
    for (int64_t head = 0; head < kv.num_kv_heads; ++head) {
      put_cached(k, i, head, kv, first + i, kv.key_offset, [&](int64_t d) { return key_index(kv, first + i, d); });
      put_cached(v, i, head, kv, first + i, kv.value_offset, [&](int64_t d) { return value_index(kv, first + i, d); });
    }
  }
}

void causal_attention(const ConstTensorView& q, const KvLayer& kv, int64_t first, float scale,
                      const TensorView& out) {
  for (int64_t row = 0; row < q.size(0); ++row) {
    for (int64_t head = 0; head < q.size(1); ++head) {
      attend_cached(q, {.row = row, .head = head, .num_visible = first + row + 1, .scale = scale}, kv, out);
    }
  }
}

void decode_attention(const ConstTensorView& q, std::span<const DecodeRow> sequences, float scale,
                      const TensorView& out) {
  int64_t row = 0;
  for (const DecodeRow& sequence : sequences) {
    const int64_t end = row + sequence.num_rows;
    causal_attention(q.rows(row, end), sequence.kv, sequence.num_tokens - sequence.num_rows, scale, out.rows(row, end));
    row = end;
  }
}

}  // namespace glyph::ops::reference
