// The two ways to attend over pages, between which full_attention() chooses.
#pragma once

#include <array>
#include <map>
#include <span>

#include "ops/cuda/attention_cudnn.h"
#include "tensor/tensor.h"

namespace glyph::ops::cuda {

// By the kernels of this folder, whatever the types and lengths.
void attend_pages(CudaDevice& device, const ConstTensorView& q, const ConstTensorView& k,
                  const ConstTensorView& v, float scale, const TensorView& out,
                  std::span<const int64_t> page_tokens);

// Remembers, shape by shape, whether cuDNN is faster (CudaDevice::state). A shape is tried out once its calls
// have cost about what preparing cuDNN's plan costs. Only from the thread that queues work.
class PageChoices {
 public:
  // Queues the work if cuDNN is to do it; false when it is to be done here.
  bool run_by_cudnn(CudaDevice& device, const EqualPages& pages);

 private:
  enum class Way { kUndecided, kHere, kCudnn };
  struct Shape {
    Way way = Way::kUndecided;
    double flop = 0;  // of the calls so far
  };
  static constexpr double kFlopBeforeTrial = 1e12;  // a few milliseconds of a large GPU
  static constexpr size_t kMaxShapes = 512;         // then all are forgotten

  Way try_both(CudaDevice& device, const EqualPages& pages);

  CudnnAttention cudnn_;
  std::map<std::array<int64_t, 4>, Shape> shapes_;  // pages, tokens, heads, head_dim
};

}  // namespace glyph::ops::cuda
