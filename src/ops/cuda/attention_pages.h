// The ways to attend over pages, among which full_attention() chooses.
#pragma once

#include <array>
#include <map>
#include <span>

#include "ops/cuda/attention_cudnn.h"
#include "ops/page_attention.h"
#include "tensor/tensor.h"

namespace glyph::ops::cuda {

// By the kernels of this folder, whatever the types and lengths.
void attend_pages(CudaDevice& device, const ConstTensorView& q, const ConstTensorView& k,
                  const ConstTensorView& v, float scale, const TensorView& out,
                  std::span<const int64_t> page_tokens);

// x (rows, heads, head_dim) of 16-bit elements, rows and heads aligned to 16 bytes, to dense (heads, rows,
// head_dim).
void pack_heads(CudaDevice& device, const ConstTensorView& x, void* to);

// How a call may be done, in the order of PageAttention. Packed: keys and values of a few heads at a time are packed first, because rows of
// one head that lie far apart are slow to read again and again where a page is long.
enum class PageWay {
  kUndecided,
  kHere,   // attend_pages()
  kCudnn,  // CudnnAttention
  kHerePacked,
  kCudnnPacked,
};

// Remembers, shape by shape, which way is fastest (CudaDevice::state). A shape is tried out once its calls
// have cost about what preparing cuDNN's plan costs. Only from the thread that queues work.
class PageChoices {
 public:
  // Queues the work unless it is to be done by attend_pages(): then false.
  bool run(CudaDevice& device, const EqualPages& pages);
  // Queues the work that way; false when it cannot be done so.
  bool run(CudaDevice& device, const EqualPages& pages, PageWay way);
  // Calls of this shape go that way from now on, untried; kUndecided forgets it.
  void choose(const PageAttentionShape& shape, PageWay way);

 private:
  struct Shape {
    PageWay way = PageWay::kUndecided;
    double flop = 0;  // of the calls so far
  };
  static constexpr double kFlopBeforeTrial = 1e12;  // a few milliseconds of a large GPU
  static constexpr size_t kMaxShapes = 512;         // then all are forgotten
  static constexpr int64_t kLongPage = 16384;       // patches: such pages may be packed, and share choices

  Shape& shape_of(const EqualPages& pages);
  PageWay fastest(CudaDevice& device, const EqualPages& pages);
  bool run_packed(CudaDevice& device, const EqualPages& pages, PageWay inner);

  static std::array<int64_t, 4> key_of(const PageAttentionShape& shape);

  CudnnAttention cudnn_;
  std::map<std::array<int64_t, 4>, PageWay> chosen_;  // pages, tokens, heads, head_dim
  std::map<std::array<int64_t, 5>, Shape> shapes_;  // pages, tokens, heads, head_dim, type
};

}  // namespace glyph::ops::cuda
