// Decode attention as the kernels see it: everything that changes from step to step lies in device memory, so
// that a captured graph finds the next step's values at the same addresses.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/tensor.h"

namespace glyph::ops::cuda {

// How the blocks of all sequences of a pass are laid out (ops::KvLayer).
struct KvGeometry {
  size_t key_offset = 0;    // bytes
  size_t value_offset = 0;  // bytes
  int block_tokens = 0;
  int num_kv_heads = 0;
  int head_dim = 0;
};

// One sequence.
struct DecodeSequence {
  const void* const* blocks = nullptr;  // in device memory
  int64_t num_tokens = 0;               // 0: no such sequence, its rows are left alone
};

struct DecodeTable {
  const DecodeSequence* sequences = nullptr;  // (q.size(0)) in device memory
  int64_t max_tokens = 0;                     // no sequence is longer while this table is in use
  KvGeometry kv;
  DType dtype = DType::kF32;  // of keys and values
};

// ops::decode_attention without a transfer from the host. `scratch`: decode_scratch_bytes(), at least as long
// in use as the queued work (or the captured graph).
void decode_attention(CudaDevice& device, const ConstTensorView& q, const DecodeTable& table, float scale,
                      void* scratch, const TensorView& out);
size_t decode_scratch_bytes(CudaDevice& device, const ConstTensorView& q, const DecodeTable& table);

// Appends row i of k and v (sequences, kv_heads, head_dim) to sequence i, as its position num_tokens - 1.
void store_kv(CudaDevice& device, const ConstTensorView& k, const ConstTensorView& v,
              const DecodeTable& table);

}  // namespace glyph::ops::cuda
