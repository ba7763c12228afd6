// The ops of a decode step whose inputs lie in the device's memory (ops/decode_batch.h).
#include "ops/cuda/attention_decode.h"
#include "ops/cuda/heads_end.h"
#include "ops/cuda/lookups.h"
#include "ops/cuda/ops.h"
#include "ops/cuda/products.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {
namespace {

static_assert(sizeof(DecodeSequence) == sizeof(DecodeBatch::Sequence) &&
              offsetof(DecodeSequence, num_tokens) == offsetof(DecodeBatch::Sequence, num_tokens));

const DecodeSequence* sequences_of(const DecodeBatch& batch) {
  return static_cast<const DecodeSequence*>(batch.on_device());
}
const TokenPosition* positions_of(const DecodeBatch& batch) {
  return reinterpret_cast<const TokenPosition*>(sequences_of(batch) + batch.slots().size());
}
const int32_t* ids_of(const DecodeBatch& batch) {
  return reinterpret_cast<const int32_t*>(positions_of(batch) + batch.slots().size());
}

DecodeTable table_of(const DecodeBatch& batch, int64_t layer) {
  const KvLayer& kv = batch.slots().front().kv;
  const size_t offset = static_cast<size_t>(layer) * batch.layer_bytes();
  return {.sequences = sequences_of(batch),
          .max_tokens = batch.max_tokens(),
          .kv = {.key_offset = kv.key_offset + offset,
                 .value_offset = kv.value_offset + offset,
                 .block_tokens = static_cast<int>(kv.block_tokens),
                 .num_kv_heads = static_cast<int>(kv.num_kv_heads),
                 .head_dim = static_cast<int>(kv.head_dim)},
          .dtype = kv.dtype};
}

}  // namespace

void embedding(CudaDevice& device, const DecodeBatch& batch, const ConstTensorView& table,
               const TensorView& out) {
  look_up_rows(device, ids_of(batch), table, out);
}

void text_rotary_table(CudaDevice& device, const DecodeBatch& batch, std::span<const float> frequencies,
                       const TextRotaryOptions& options, const TensorView& cos, const TensorView& sin) {
  fill_text_table(device, positions_of(batch), frequencies, options, cos, sin);
}

// e4m3 needs the largest element of a whole head, of which a block has a part.
bool project_heads(CudaDevice& device, const ConstTensorView& x, const HeadsProjection& heads, const DecodeBatch& batch, int64_t layer,
                   const TensorView& out) {
  const DecodeTable table = table_of(batch, layer);
  if (out.dtype() != DType::kF32 || table.dtype == DType::kE4M3) return false;
  const auto keys = static_cast<int>(heads.q.weight.size(0));
  const LinearPart parts[] = {heads.q, heads.k, heads.v};
  return linear_heads(device, x, parts, out,
                      {.cos = heads.cos.data<float>(),
                       .sin = heads.sin.data<float>(),
                       .angles = static_cast<int>(heads.cos.size(1)),
                       .keys = keys,
                       .values = keys + table.kv.num_kv_heads * table.kv.head_dim,
                       .table = table});
}

void store_kv(CudaDevice& device, const ConstTensorView& k, const ConstTensorView& v, const DecodeBatch& batch,
              int64_t layer) {
  if (device.ok()) store_kv(device, k, v, table_of(batch, layer));
}

void decode_attention(CudaDevice& device, const ConstTensorView& q, const DecodeBatch& batch, int64_t layer,
                      float scale, const TensorView& out) {
  if (!device.ok()) return;
  const DecodeTable table = table_of(batch, layer);
  const DeviceMemory scratch = device.allocate(decode_scratch_bytes(device, q, table));
  if (device.ok()) decode_attention(device, q, table, scale, scratch.get(), out);
}

}  // namespace glyph::ops::cuda
