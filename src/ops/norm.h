// Normalisations over the last dimension. Sums are f32 or better; weights are f32.
#pragma once

#include "tensor/tensor.h"

namespace glyph::ops {

// out (rows, n) f32 or bf16 = x / sqrt(mean(x^2) + eps) * weight; x (rows, n) f32, weight (n). out may be x.
// Reference: Glm4vRMSNorm.
void rms_norm(Device& device, const ConstTensorView& x, const ConstTensorView& weight, float eps,
              const TensorView& out);

struct AddNormWeights {
  ConstTensorView branch;  // (n) f32: norm of the branch before it is added
  ConstTensorView next;    // (n) f32: norm of the sum
  float eps = 1e-5f;
};

// The seam between two halves of a GLM-4 layer, which norms each branch before and after (the "sandwich"):
//   x (rows, n) f32 += rms_norm(branch, weights.branch);  out (rows, n) f32 or bf16 = rms_norm(x,
//   weights.next).
// branch (rows, n) f32; on a GPU bf16, too, where it was summed over several. Reference: Glm4vTextDecoderLayer.forward.
void add_norm(Device& device, const TensorView& x, const ConstTensorView& branch,
              const AddNormWeights& weights, const TensorView& out);

// out (rows, n) f32 or bf16 = gelu((x - mean) / sqrt(variance + eps) * weight + bias); x (rows, n) f32; the
// exact gelu (erf). Reference: Glm4vVisionPatchMerger, torch LayerNorm (eps 1e-5) and GELU.
void layer_norm_gelu(Device& device, const ConstTensorView& x, const ConstTensorView& weight,
                     const ConstTensorView& bias, float eps, const TensorView& out);

}  // namespace glyph::ops
