// The inner loops of the CPU ops, one table for each instruction set. A kernel works on a block that fits a
// cache and knows nothing about threads; the ops in this folder cut the work, find scratch memory and call
// them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/cpu_device.h"
#include "tensor/dtype.h"

namespace glyph::ops::cpu {

// Rows of a weight matrix, `stride` elements apart.
struct PackSource {
  const void* data = nullptr;
  DType dtype = DType::kF32;
  int64_t stride = 0;
  int64_t count = 0;  // rows, at most what the caller packs at once
  int64_t depth = 0;  // inputs: elements of a row
};

// Products of `rows` rows of x with a panel of `columns` packed weight rows. A panel holds (depth rounded up
// to depth_step, columns) elements of `type` in an order only the kernel knows; what a source does not fill
// is zero.
struct MatrixKernel {
  DType type;  // of x and of the panel: f32 or bf16
  int rows;
  int columns;
  int depth_step;

  // Puts the source's rows at panel columns first, first + 1, ...; columns beyond `first + count` become
  // zero.
  void (*pack)(const PackSource& source, int first, void* panel);
  // The same for a matrix that lies transposed: source row k holds depth index k of all columns; `count` is
  // the depth, `depth` the number of columns. For the values of attention.
  void (*pack_transposed)(const PackSource& source, void* panel);
  // c (num_rows, columns), `c_stride` apart, f32 = x (num_rows <= rows, depth) * panel. Reads x only where it
  // has elements.
  void (*multiply)(const void* x, int64_t x_stride, int num_rows, int64_t depth, const void* panel, float* c,
                   int64_t c_stride);
  // Gives back machine state after the last multiply of a task; may be null.
  void (*end)();

  int64_t padded_depth(int64_t depth) const { return (depth + depth_step - 1) / depth_step * depth_step; }
  size_t panel_bytes(int64_t depth) const {
    return static_cast<size_t>(padded_depth(depth) * columns) * size_of(type);
  }
};

// What happens to a block of products before it is stored.
struct Epilogue {
  const float* bias = nullptr;  // of the block's first column
  bool accumulate = false;
  bool swiglu =
      false;  // c holds gates in its left half and ups in its right half; the output is half as wide
};

struct Kernels {
  const MatrixKernel* f32;
  const MatrixKernel* bf16;   // null: bf16 operands are widened and use f32
  const MatrixKernel* split;  // f32 rows times bf16 panels, as exact as f32; x as split_row leaves it. null: use f32

  // An f32 row as three bf16 rows whose sum it is, each padded with zeros to `padded_depth`. Null without `split`.
  void (*split_row)(const float* x, int64_t depth, int64_t padded_depth, BF16* parts);

  // out (rows, columns) f32 or bf16 from c (rows, columns, or twice that for swiglu with the ups at c +
  // up_offset).
  void (*finish)(const float* c, int64_t c_stride, int64_t up_offset, int64_t rows, int64_t columns,
                 const Epilogue& epilogue, void* out, DType out_type, int64_t out_stride);
  // y[r * y_stride + i] = x row r (f32, dense, depth) . weight row i, for num_x <= kMaxDotRows rows of x.
  void (*dot_rows)(const float* x, int64_t x_stride, int num_x, const PackSource& weights, float* y,
                   int64_t y_stride);

  void (*widen)(const void* from, DType type, int64_t count, float* to);
  void (*narrow)(const float* from, int64_t count, float factor, void* to, DType type);

  void (*rms_norm)(const float* x, const float* weight, int64_t n, float eps, void* out, DType out_type);
  void (*add_norm)(float* x, const float* branch, const float* branch_weight, const float* next_weight,
                   int64_t n, float eps, void* out, DType out_type);
  void (*layer_norm_gelu)(const float* x, const float* weight, const float* bias, int64_t n, float eps,
                          void* out, DType out_type);
  void (*softmax)(float* x, int64_t n);
  // One head: pairs (i, i + half) or (2i, 2i + 1) for i < half.
  void (*rotate_halves)(void* x, DType type, const float* cos, const float* sin, int64_t half);
  void (*rotate_interleaved)(void* x, DType type, const float* cos, const float* sin, int64_t half);
  // to += weight[j] * rows[j], four rows of a small table at a time.
  void (*add_scaled)(float* to, const float* row, float weight, int64_t n);

  // One row of attention scores, `visible` of `count` keys seen: p[i] = exp(scale * s[i] - new max), 0 where
  // not seen. Updates the running max (of scale * s) and sum; returns the factor by which what was summed
  // before shrinks.
  float (*softmax_step)(const float* s, int64_t visible, int64_t count, float scale, float* max, float* sum,
                        void* p, DType p_type);
  // out = out * factor + c, n elements.
  void (*rescale_add)(float* out, const float* c, float factor, int64_t n);
  // out (num_p, depth) f32 += p (num_p, count) * rows (count, depth): scores and values of attention in
  // decode.
  void (*weighted_rows)(const float* p, int64_t p_stride, int num_p, const PackSource& rows, float* out,
                        int64_t out_stride);
};

inline constexpr int kMaxDotRows = 8;
inline constexpr int kSplitParts = 3;  // 3 x 8 bits of mantissa are f32's 24

// The table for a level; levels this build has no code for give the one below.
const Kernels& kernels_for(CpuLevel level);

// The tables of the kernel files, which are part of the build on x86-64 (the first: everywhere).
const Kernels* baseline_kernels();
const Kernels* avx2_kernels();
const Kernels* avx512_kernels();
const Kernels* avx512bf16_kernels();
const Kernels* amx_kernels();

}  // namespace glyph::ops::cpu
