// Attention of pages by cuDNN (9.13.1 or newer: one operation for the whole attention). The library is looked
// for when it is first wanted and may be missing: GLYPH_CUDNN names its folder or file, or is "off"; without
// it the loader's search path counts.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>

#include "tensor/tensor.h"

namespace glyph::ops::cuda {

// `num_pages` pages of `tokens` rows each, one after another, each of which sees itself. Views (num_pages *
// tokens, heads, head_dim) all bf16 or all f16, every row of a head aligned to 16 bytes.
struct EqualPages {
  ConstTensorView q, k, v;
  TensorView out;
  int64_t num_pages = 0;
  int64_t tokens = 0;
  float scale = 1;
};

// "9.19.0", or why cuDNN is not used.
std::string cudnn_description();

// What cuDNN prepared on one device (CudaDevice::state). Only from the thread that queues work.
class CudnnAttention {
 public:
  CudnnAttention();
  ~CudnnAttention();
  CudnnAttention(const CudnnAttention&) = delete;
  CudnnAttention& operator=(const CudnnAttention&) = delete;

  // Queues the work; false when the library is missing or refuses. The first call for a shape prepares it,
  // which takes a tenth of a second or more.
  bool run(CudaDevice& device, const EqualPages& pages);

 private:
  struct Plan;
  Plan* plan_of(CudaDevice& device, const EqualPages& pages);

  static constexpr size_t kMaxPlans = 256;  // then all are forgotten

  void* handle_ = nullptr;  // cudnnHandle_t; null until the first run
  // By everything a plan depends on; null: refused.
  std::map<std::array<int64_t, 13>, std::unique_ptr<Plan>> plans_;
};

}  // namespace glyph::ops::cuda
