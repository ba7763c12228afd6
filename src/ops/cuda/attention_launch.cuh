// From tensor views to the parameters of the attention kernels.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>

#include "ops/attention.h"
#include "ops/cuda/attention_problem.cuh"
#include "ops/cuda/launch.cuh"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {

inline constexpr float kLog2E = 1.44269504088896341f;

template <typename T>
HeadRows<T> head_rows(const ConstTensorView& x) {
  return {static_cast<const T*>(x.raw()), x.stride(0), x.stride(1)};
}

// Whether every row of every head starts at a multiple of `elements` elements.
inline bool is_aligned(const ConstTensorView& x, int64_t elements) {
  const auto bytes = static_cast<uintptr_t>(elements) * size_of(x.dtype());
  return reinterpret_cast<uintptr_t>(x.raw()) % bytes == 0 && x.stride(0) % elements == 0 &&
         x.stride(1) % elements == 0;
}

inline Output output_of(const TensorView& out) {
  return {out.raw(), out.stride(0), out.stride(1), out.dtype(), is_aligned(out, 2)};
}

// Whether the tensor cores can do it as far as the query is concerned.
inline bool suits_tensor_cores(const ConstTensorView& q) {
  const int64_t head_dim = q.size(2);
  return (head_dim == 32 || head_dim == 64 || head_dim == 128) && is_aligned(q, 8);
}

inline KvGeometry geometry_of(const KvLayer& kv) {
  return {.key_offset = kv.key_offset,
          .value_offset = kv.value_offset,
          .block_tokens = static_cast<int>(kv.block_tokens),
          .num_kv_heads = static_cast<int>(kv.num_kv_heads),
          .head_dim = static_cast<int>(kv.head_dim)};
}

// Head sizes of the kernels on the CUDA cores.
inline void check_head_dim(int64_t head_dim) { GLYPH_CHECK(head_dim % 4 == 0 && head_dim <= 256); }

inline unsigned count_of(int64_t n) { return static_cast<unsigned>(n); }
inline int64_t divide_up(int64_t n, int64_t by) { return (n + by - 1) / by; }

// A block table in device memory: the layer's own, or a copy that lives as long as this object.
class BlockTable {
 public:
  BlockTable(CudaDevice& device, const KvLayer& kv, int64_t num_tokens) : blocks_(kv.device_blocks) {
    if (blocks_ != nullptr) return;
    const auto bytes = static_cast<size_t>(divide_up(num_tokens, kv.block_tokens)) * sizeof(void*);
    copy_ = device.allocate(bytes);
    if (copy_ != nullptr) device.upload(copy_.get(), kv.blocks.data(), bytes);
    blocks_ = static_cast<const void* const*>(copy_.get());
  }
  const void* const* blocks() const { return blocks_; }

 private:
  DeviceMemory copy_;
  const void* const* blocks_;
};

}  // namespace glyph::ops::cuda
