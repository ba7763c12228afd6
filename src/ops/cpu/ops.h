// The CPU's implementations of ops/*.h; shapes were checked by the caller.
#pragma once

#include "ops/attention.h"
#include "ops/cpu/kernels.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/rotary.h"
#include "tensor/cpu_device.h"

namespace glyph::ops::cpu {

void linear(CpuDevice& device, const ConstTensorView& x, std::span<const LinearPart> parts,
            const TensorView& out, const LinearOptions& options);
void swiglu_linear(CpuDevice& device, const ConstTensorView& x, const ConstTensorView& gate,
                   const ConstTensorView& up, const TensorView& out);
void rms_norm(CpuDevice& device, const ConstTensorView& x, const ConstTensorView& weight, float eps,
              const TensorView& out);
void add_norm(CpuDevice& device, const TensorView& x, const ConstTensorView& branch,
              const AddNormWeights& weights, const TensorView& out);
void layer_norm_gelu(CpuDevice& device, const ConstTensorView& x, const ConstTensorView& weight,
                     const ConstTensorView& bias, float eps, const TensorView& out);
void rotary(CpuDevice& device, const TensorView& x, const ConstTensorView& cos, const ConstTensorView& sin,
            RotaryPairs pairs);
void full_attention(CpuDevice& device, const ConstTensorView& q, const ConstTensorView& k,
                    const ConstTensorView& v, float scale, const TensorView& out);
void store_kv(CpuDevice& device, const ConstTensorView& k, const ConstTensorView& v, int64_t first,
              const KvLayer& kv);
void causal_attention(CpuDevice& device, const ConstTensorView& q, const KvLayer& kv, int64_t first,
                      float scale, const TensorView& out);
void decode_attention(CpuDevice& device, const ConstTensorView& q, std::span<const DecodeRow> sequences,
                      float scale, const TensorView& out);
void embedding(CpuDevice& device, std::span<const int32_t> ids, const ConstTensorView& table,
               const TensorView& out);
void add_position_table(CpuDevice& device, std::span<const PatchPosition> positions, const PatchGrid& grid,
                        const ConstTensorView& table, const TensorView& x);
void softmax(CpuDevice& device, const TensorView& x);

}  // namespace glyph::ops::cpu
