// The specification of ops/*.h: plain loops with double sums; shapes were checked by the caller.
#pragma once

#include "ops/attention.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/rotary.h"
#include "tensor/tensor.h"

namespace glyph::ops::reference {

void linear(const ConstTensorView& x, std::span<const LinearPart> parts, const TensorView& out,
            const LinearOptions& options);
void swiglu_linear(const ConstTensorView& x, const ConstTensorView& gate, const ConstTensorView& up,
                   const TensorView& out);
void rms_norm(const ConstTensorView& x, const ConstTensorView& weight, float eps, const TensorView& out);
void add_norm(const TensorView& x, const ConstTensorView& branch, const AddNormWeights& weights,
              const TensorView& out);
void layer_norm_gelu(const ConstTensorView& x, const ConstTensorView& weight, const ConstTensorView& bias,
                     float eps, const TensorView& out);
void quantise(const ConstTensorView& x, const TensorView& out);
void rotary(const TensorView& x, const ConstTensorView& cos, const ConstTensorView& sin, RotaryPairs pairs);
void full_attention(const ConstTensorView& q, const ConstTensorView& k, const ConstTensorView& v, float scale,
                    const TensorView& out);
void store_kv(const ConstTensorView& k, const ConstTensorView& v, int64_t first, const KvLayer& kv);
void causal_attention(const ConstTensorView& q, const KvLayer& kv, int64_t first, float scale,
                      const TensorView& out);
void decode_attention(const ConstTensorView& q, std::span<const DecodeRow> sequences, float scale,
                      const TensorView& out);
void embedding(std::span<const int32_t> ids, const ConstTensorView& table, const TensorView& out);
void add_position_table(std::span<const PatchPosition> positions, const PatchGrid& grid,
                        const ConstTensorView& table, const TensorView& x);
void softmax(const TensorView& x);

}  // namespace glyph::ops::reference
