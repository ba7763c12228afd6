#include "ops/decode_batch.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "ops/dispatch.h"
#include "ops/embedding.h"

namespace glyph::ops {
namespace {

constexpr int64_t kLeastMaxTokens = 1024;
constexpr size_t kSlotBytes = sizeof(DecodeBatch::Sequence) + sizeof(TokenPosition) + sizeof(int32_t);

KvLayer layer_of(const DecodeSlot& slot, const DecodeBatch& batch, int64_t layer) {
  KvLayer kv = slot.kv;
  kv.key_offset += static_cast<size_t>(layer) * batch.layer_bytes();
  kv.value_offset += static_cast<size_t>(layer) * batch.layer_bytes();
  return kv;
}

template <typename T>
std::byte* append(std::byte* to, const T& value) {
  std::memcpy(to, &value, sizeof(value));
  return to + sizeof(value);
}

}  // namespace

DecodeBatch::DecodeBatch(Device& device) : device_(device) {
  if (!device.host_memory()) there_ = device.allocate(kMaxSlots * kSlotBytes);
}

void DecodeBatch::set(std::vector<DecodeSlot> slots, size_t layer_bytes) {
  GLYPH_CHECK(!slots.empty() && slots.size() <= kMaxSlots);
  slots_ = std::move(slots);
  layer_bytes_ = layer_bytes;
  if (device_.host_memory()) return;
  packed_.resize(slots_.size() * kSlotBytes);
  std::byte* to = packed_.data();
  for (const DecodeSlot& slot : slots_) to = append(to, Sequence{slot.kv.device_blocks, slot.num_tokens});
  for (const DecodeSlot& slot : slots_) to = append(to, slot.position);
  for (const DecodeSlot& slot : slots_) to = append(to, slot.id);
  device_.upload(there_.get(), packed_.data(), packed_.size());
}

int64_t DecodeBatch::max_tokens() const {
  int64_t longest = kLeastMaxTokens;
  for (const DecodeSlot& slot : slots_) longest = std::max(longest, slot.num_tokens);
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(longest)));
}

void embedding(Device& device, const DecodeBatch& batch, const ConstTensorView& table, const TensorView& out) {
  if (device.kind() == DeviceKind::kCuda) {
    GLYPH_CHECK(out.dtype() == DType::kF32 && is_matrix(out, std::ssize(batch.slots()), table.size(1)));
    return cuda::embedding(device.cuda(), batch, table, out);
  }
  std::vector<int32_t> ids;
  for (const DecodeSlot& slot : batch.slots()) ids.push_back(slot.id);
  embedding(device, ids, table, out);
}

void text_rotary_table(Device& device, const DecodeBatch& batch, const TextRotaryOptions& options,
                       const TensorView& cos, const TensorView& sin) {
  if (device.kind() == DeviceKind::kCuda) {
    GLYPH_CHECK(cos.shape() == sin.shape() && is_matrix(cos, std::ssize(batch.slots()), cos.size(1)));
    const std::vector<float> frequencies = text_frequencies(options, cos.size(1));
    return cuda::text_rotary_table(device.cuda(), batch, frequencies, options, cos, sin);
  }
  std::vector<TokenPosition> positions;
  for (const DecodeSlot& slot : batch.slots()) positions.push_back(slot.position);
  text_rotary_table(device, positions, options, cos, sin);
}

void project_heads(Device& device, const ConstTensorView& x, const HeadsProjection& heads, const DecodeBatch& batch, int64_t layer,
                   const TensorView& out) {
  const KvLayer& kv = batch.slots().front().kv;
  const int64_t q_size = heads.q.weight.size(0), kv_size = kv.num_kv_heads * kv.head_dim, turned = q_size + kv_size;
  const LinearPart parts[] = {heads.q, heads.k, heads.v};
  check_linear(device, x, parts, out);
  check_tables(batch.slots().size(), heads.cos, heads.sin);
  GLYPH_CHECK(x.size(0) == std::ssize(batch.slots()) && q_size % kv.head_dim == 0 && 2 * heads.cos.size(1) <= kv.head_dim);
  GLYPH_CHECK(heads.k.weight.size(0) == kv_size && heads.v.weight.size(0) == kv_size);
  if (device.kind() == DeviceKind::kCuda && cuda::project_heads(device.cuda(), x, heads, batch, layer, out)) return;
  linear(device, x, parts, out);
  rotary(device, out.slice(1, 0, turned).split_last(turned / kv.head_dim), heads.cos, heads.sin, RotaryPairs::kInterleaved);
  const auto stored = [&](int64_t begin) { return out.slice(1, begin, begin + kv_size).split_last(kv.num_kv_heads); };
  store_kv(device, stored(q_size), stored(turned), batch, layer);
}

void store_kv(Device& device, const ConstTensorView& k, const ConstTensorView& v, const DecodeBatch& batch,
              int64_t layer) {
  GLYPH_CHECK(k.rank() == 3 && k.shape() == v.shape() && k.size(0) == std::ssize(batch.slots()));
  if (device.kind() == DeviceKind::kCuda) return cuda::store_kv(device.cuda(), k, v, batch, layer);
  for (int64_t i = 0; i < k.size(0); ++i) {
    const DecodeSlot& slot = batch.slots()[static_cast<size_t>(i)];
    store_kv(device, k.rows(i, i + 1), v.rows(i, i + 1), slot.num_tokens - 1, layer_of(slot, batch, layer));
  }
}

void decode_attention(Device& device, const ConstTensorView& q, const DecodeBatch& batch, int64_t layer,
                      float scale, const TensorView& out) {
  GLYPH_CHECK(q.rank() == 3 && q.size(0) == std::ssize(batch.slots()) && out.shape() == q.shape());
  if (device.kind() == DeviceKind::kCuda) {
    return cuda::decode_attention(device.cuda(), q, batch, layer, scale, out);
  }
  std::vector<DecodeRow> rows;
  for (const DecodeSlot& slot : batch.slots()) {
    rows.push_back({.kv = layer_of(slot, batch, layer), .num_tokens = slot.num_tokens});
  }
  decode_attention(device, q, rows, scale, out);
}

}  // namespace glyph::ops
