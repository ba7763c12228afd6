// Scaled dot-product attention: inside one page, over a KV cache with many query rows (prefill), and with one
// row a sequence (decode). Softmax is f32. Reference: eager_attention_forward of modeling_glm4v.py.
#pragma once

#include <cstdint>
#include <span>

#include "ops/quantise.h"
#include "tensor/tensor.h"

namespace glyph::ops {

// Every token of a page sees every other: out (tokens, heads, head_dim) = softmax(scale * q k^T) v, head by
// head. q, k, v (tokens, heads, head_dim), all f32 or all bf16, rows may be strided; out has their type or
// f32. Several pages may lie one after another: `page_tokens` says how many rows each has, and a token sees
// its own page only. Empty: all rows are one page.
void full_attention(Device& device, const ConstTensorView& q, const ConstTensorView& k,
                    const ConstTensorView& v, float scale, const TensorView& out,
                    std::span<const int64_t> page_tokens = {});

// The keys and values of one layer of one sequence, in blocks of block_tokens positions. Inside a block lie
// from value_offset on the values as (kv_heads, block_tokens, head_dim), from key_offset on the keys, both
// dense. The layout of keys belongs to the kind of device: on the host (kv_heads, head_dim, block_tokens),
// transposed so that the scores of neighbouring positions are computed side by side; on CUDA (kv_heads,
// block_tokens, head_dim) like the values, so that a tile of either is a matrix of dense rows. Blocks and
// offsets are multiples of 16 bytes; a row of head_dim elements need not be.
//
// e4m3: every position of a head has a scale for its keys and one for its values, its largest magnitude / 448, NaN where one is NaN; scale_offset() bytes
// behind the first key, or value, of a block lie theirs, (kv_heads, block_tokens) f32. Why a scale a position, by the error of attention
// over 4,096 random positions, relative to its result: 3 % with it, and 3 % with none at all, because e4m3 is a floating type; but biases
// make a few channels of keys far larger than the others: where these are 100 and 1000 it is 6 % and 6 %, without scales 15 % and 20 %
// (448 is the end, and the largest element is exact only with a scale of its own, so that powers of two do not help either); values of
// 0.001 are lost without (55 %). 8-bit integers have 0.7 %, but 21 % and more from channels of 300 on.
struct KvLayer {
  std::span<void* const> blocks;
  // The same pointers in the device's memory, where the host's are out of reach for kernels; else null. Shared
  // by all layers of a sequence and written before the pass on the device's stream.
  const void* const* device_blocks = nullptr;
  size_t key_offset = 0;     // bytes
  size_t value_offset = 0;   // bytes
  int64_t block_tokens = 0;  // a multiple of 64
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  DType dtype = DType::kF32;  // f32, bf16, f16 or e4m3

  size_t scale_offset() const { return static_cast<size_t>(num_kv_heads * block_tokens * head_dim); }
};

// Bytes of the keys, or of the values, of one layer in one block, scales included.
constexpr size_t kv_half_bytes(int64_t num_kv_heads, int64_t block_tokens, int64_t head_dim, DType dtype) {
  const size_t scale = dtype == DType::kE4M3 ? sizeof(float) : 0;
  return static_cast<size_t>(num_kv_heads * block_tokens) * (static_cast<size_t>(head_dim) * size_of(dtype) + scale);
}

// What keys, or values, of this largest magnitude are multiplied by to become e4m3; their scale is largest / kLargestE4M3. What is so small
// that the factor would be infinite becomes zero.
constexpr float e4m3_factor(float largest) { return largest < 1e-30f ? 0.0f : kLargestE4M3 / largest; }

// Writes k and v (tokens, kv_heads, head_dim), of any float type, at positions first, first + 1, ... of the layer.
void store_kv(Device& device, const ConstTensorView& k, const ConstTensorView& v, int64_t first,
              const KvLayer& kv);

// Row i sees positions 0 ... first + i, which must be stored: out (tokens, heads, head_dim). Query head h
// reads KV head h / (heads / kv_heads). q f32 or bf16, like kv unless that is e4m3; out has q's type or f32.
void causal_attention(Device& device, const ConstTensorView& q, const KvLayer& kv, int64_t first, float scale,
                      const TensorView& out);

struct DecodeRow {
  KvLayer kv;
  int64_t num_tokens = 0;  // positions 0 ... num_tokens - 1 are stored
  int64_t num_rows = 1;    // query rows: those of the last positions, each of which sees itself and what is before it
};

// A few query rows a sequence, one sequence after the other: q and out (rows of all, heads, head_dim) f32 or bf16;
// KV of any type. Sequences may share blocks.
void decode_attention(Device& device, const ConstTensorView& q, std::span<const DecodeRow> sequences,
                      float scale, const TensorView& out);

}  // namespace glyph::ops
