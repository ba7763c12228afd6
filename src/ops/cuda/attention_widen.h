// e4m3 keys and values in the type that the kernels of many query rows read.
#pragma once

#include "ops/attention.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {

// The first `num_tokens` positions of an e4m3 layer as f32, f16 or bf16: a layer of one block, in memory that lives as long as this object
// (it may end when what reads it is queued).
class WideKv {
 public:
  // Queues the work.
  WideKv(CudaDevice& device, const KvLayer& kv, int64_t num_tokens, DType type);
  WideKv(const WideKv&) = delete;
  WideKv& operator=(const WideKv&) = delete;

  const KvLayer& layer() const { return layer_; }

 private:
  DeviceMemory memory_;
  void* block_ = nullptr;
  KvLayer layer_;
};

}  // namespace glyph::ops::cuda
