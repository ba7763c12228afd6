// A product as the kernels that stream its weights take it.
#pragma once

#include "ops/cuda/elements.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/products.h"

namespace glyph::ops::cuda {

// Int: of the counts; int where registers are dear.
template <typename Int>
struct ProductWork {
  const void* x;
  int64_t x_stride;
  const void* weight;
  const void* up;  // of swiglu, else null: `weight` is then gate
  int64_t weight_stride;
  const float* bias;
  void* out;
  int64_t out_stride;
  DType out_type;
  Int rows, outputs, depth;
  bool accumulate;
  bool fetches = false;  // the next weights into the cache, too, before it waits: all blocks wait
};

template <typename Int>
ProductWork<Int> work_of(const Product& p) {
  return {.x = p.x.raw(),
          .x_stride = p.x.stride(0),
          .weight = p.weight.raw(),
          .up = nullptr,
          .weight_stride = p.weight.stride(0),
          .bias = p.bias.empty() ? nullptr : p.bias.data<float>(),
          .out = p.out.raw(),
          .out_stride = p.out.stride(0),
          .out_type = p.out.dtype(),
          .rows = static_cast<Int>(p.rows()),
          .outputs = static_cast<Int>(p.outputs()),
          .depth = static_cast<Int>(p.depth()),
          .accumulate = p.accumulate};
}

// Of swiglu; gate and up have one stride.
template <typename Int>
ProductWork<Int> work_of(const ConstTensorView& x, const ConstTensorView& gate, const ConstTensorView& up, const TensorView& out) {
  ProductWork<Int> work = work_of<Int>(Product{.x = x, .weight = gate, .bias = {}, .out = out});
  work.up = up.raw();
  return work;
}

// Weights are asked for before the wait, unless they were just made.
inline Start start_of(const Product& p) { return p.weight_is_new ? Start::kAfter : Start::kRecorded; }

// With quantised weights, too.
struct ScaledWork : ProductWork<int64_t> {
  const void* scales = nullptr;
  const void* up_scales = nullptr;
};

// Of each row or group, where it has them.
inline const void* scales_of(const ConstTensorView& weight) { return is_quantised(weight.dtype()) ? weight.scales() : nullptr; }

inline ScaledWork scaled_work_of(const Product& p) { return {work_of<int64_t>(p), scales_of(p.weight)}; }
inline ScaledWork scaled_work_of(const ConstTensorView& x, const ConstTensorView& gate, const ConstTensorView& up, const TensorView& out) {
  return {work_of<int64_t>(x, gate, up, out), scales_of(gate), scales_of(up)};
}

// Whether rows of quantised weights, and as many inputs, can be read by 16 bytes of weights.
inline bool has_pieces(const ConstTensorView& x, const ConstTensorView& weight) {
  const int64_t inputs = weight.dtype() == DType::kI4 ? 32 : 16;
  return x.size(1) % inputs == 0 && bytes_of(weight.dtype(), weight.stride(0)) % 16 == 0 && reinterpret_cast<uintptr_t>(weight.raw()) % 16 == 0;
}

// A result: written, or added to what is there, which is f32 then (ops/linear.h).
__device__ inline void put_result(void* out, DType type, int64_t at, float value, bool accumulate) {
  if (type == DType::kF32) {
    float* const to = static_cast<float*>(out) + at;
    *to = accumulate ? *to + value : value;
  } else if (type == DType::kBF16) {
    put(static_cast<__nv_bfloat16*>(out) + at, value);
  } else {
    put(static_cast<__half*>(out) + at, value);
  }
}

}  // namespace glyph::ops::cuda
