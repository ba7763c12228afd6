// CUDA's implementations of ops/*.h; shapes were checked by the caller. All of them queue work on the
// device's stream and return; errors stay with the device (tensor/device.h, take_status). No CUDA header is
// needed to include this one; a build without the toolkit links ops/nocuda instead.
#pragma once

#include "ops/attention.h"
#include "ops/decode_batch.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/load.h"
#include "ops/norm.h"
#include "ops/page_attention.h"
#include "ops/patches.h"
#include "ops/rotary.h"
#include "tensor/tensor.h"

namespace glyph::ops::cuda {

void linear(CudaDevice& device, const ConstTensorView& x, std::span<const LinearPart> parts,
            const TensorView& out, const LinearOptions& options);
void swiglu_linear(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& gate,
                   const ConstTensorView& up, const TensorView& out);
void rms_norm(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& weight, float eps,
              const TensorView& out);
void add_norm(CudaDevice& device, const TensorView& x, const ConstTensorView& branch,
              const AddNormWeights& weights, const TensorView& out);
void layer_norm_gelu(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& weight,
                     const ConstTensorView& bias, float eps, const TensorView& out);
void softmax(CudaDevice& device, const TensorView& x);
void rotary(CudaDevice& device, const TensorView& x, const ConstTensorView& cos, const ConstTensorView& sin,
            RotaryPairs pairs);
// frequencies: angle per unit of position, the same for rows and columns (cos.size(1) / 2 of them).
void vision_rotary_table(CudaDevice& device, std::span<const PatchPosition> positions,
                         std::span<const float> frequencies, const TensorView& cos, const TensorView& sin);
// frequencies: cos.size(1) of them; sections as in TextRotaryOptions.
void text_rotary_table(CudaDevice& device, std::span<const TokenPosition> positions,
                       std::span<const float> frequencies, const TextRotaryOptions& options,
                       const TensorView& cos, const TensorView& sin);
void embedding(CudaDevice& device, std::span<const int32_t> ids, const ConstTensorView& table,
               const TensorView& out);
void add_position_table(CudaDevice& device, std::span<const PatchPosition> positions, const PatchGrid& grid,
                        const ConstTensorView& table, const TensorView& x);
void add_position_table(CudaDevice& device, const PatchPosition* positions, const PatchGrid& grid,
                        const ConstTensorView& table, const TensorView& x);
void widen_bytes(CudaDevice& device, std::span<const uint8_t> bytes, const TensorView& out);
void widen_device_bytes(CudaDevice& device, const uint8_t* bytes, int64_t parts, const TensorView& out);
void quantise(CudaDevice& device, const ConstTensorView& x, const TensorView& out);
void load(CudaDevice& device, const ConstTensorView& from, const TensorView& out);
void fill_random(CudaDevice& device, const RandomValues& values, const TensorView& out);
void top_logits(CudaDevice& device, const ConstTensorView& logits, const TensorView& out);

// decode_batch.cu
void embedding(CudaDevice& device, const DecodeBatch& batch, const ConstTensorView& table,
               const TensorView& out);
void text_rotary_table(CudaDevice& device, const DecodeBatch& batch, std::span<const float> frequencies,
                       const TextRotaryOptions& options, const TensorView& cos, const TensorView& sin);
// False, and nothing is queued, where that takes several kernels.
bool project_heads(CudaDevice& device, const ConstTensorView& x, const HeadsProjection& heads, const DecodeBatch& batch, int64_t layer,
                   const TensorView& out);
void store_kv(CudaDevice& device, const ConstTensorView& k, const ConstTensorView& v, const DecodeBatch& batch,
              int64_t layer);
void decode_attention(CudaDevice& device, const ConstTensorView& q, const DecodeBatch& batch, int64_t layer,
                      float scale, const TensorView& out);

// attention_pages.cc
void choose_page_attention(CudaDevice& device, const PageAttentionShape& shape, PageAttention way);
std::string page_attention_library();

// attention*.cu
void full_attention(CudaDevice& device, const ConstTensorView& q, const ConstTensorView& k,
                    const ConstTensorView& v, float scale, const TensorView& out,
                    std::span<const int64_t> page_tokens);
void store_kv(CudaDevice& device, const ConstTensorView& k, const ConstTensorView& v, int64_t first,
              const KvLayer& kv);
void causal_attention(CudaDevice& device, const ConstTensorView& q, const KvLayer& kv, int64_t first,
                      float scale, const TensorView& out);
void decode_attention(CudaDevice& device, const ConstTensorView& q, std::span<const DecodeRow> sequences,
                      float scale, const TensorView& out);

}  // namespace glyph::ops::cuda
