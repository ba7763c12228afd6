// Linear layers: rows times the transpose of a weight matrix. Weights stay as they lie in the checkpoint,
// (outputs, inputs).
//
// The type of x chooses the arithmetic: f32 rows multiply in f32 with f32, f16 or bf16 weights (widened
// exactly); bf16 rows multiply bf16 weights and sum in f32. Reference: torch.nn.functional.linear.
//
// Of up to 8 dense rows, each gives the same bits whatever rows are beside it: guessed tokens are checked together.
#pragma once

#include <span>

#include "tensor/tensor.h"

namespace glyph::ops {

// Some of the outputs of a linear layer.
struct LinearPart {
  ConstTensorView weight;     // (n, inputs) f32, f16 or bf16; rows dense
  ConstTensorView bias = {};  // (n) f32, or empty
};

struct LinearOptions {
  bool accumulate = false;  // out += instead of out =; then out must be f32
};

// out (rows, sum of n) f32 or bf16 = x (rows, inputs) * weight^T + bias, the parts side by side.
void linear(Device& device, const ConstTensorView& x, std::span<const LinearPart> parts,
            const TensorView& out, const LinearOptions& options = {});
void linear(Device& device, const ConstTensorView& x, const LinearPart& part, const TensorView& out,
            const LinearOptions& options = {});

// The first half of a SwiGLU layer: out (rows, n) f32 or bf16 = silu(x * gate^T) * (x * up^T); gate and up
// (n, inputs) without bias. Reference: Glm4VisionMlp, Glm4vTextMLP, Glm4vVisionPatchMerger without down_proj.
void swiglu_linear(Device& device, const ConstTensorView& x, const ConstTensorView& gate,
                   const ConstTensorView& up, const TensorView& out);

}  // namespace glyph::ops
