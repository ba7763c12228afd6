// Rotary position embedding: tables of angles and their application to heads.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace glyph::ops {

// Row and column of a patch inside its page, in patches.
struct PatchPosition {
  int32_t row = 0;
  int32_t column = 0;
};

// Position of a token on the three axes of the language model.
struct TokenPosition {
  int32_t time = 0;
  int32_t height = 0;
  int32_t width = 0;
  bool operator==(const TokenPosition&) const = default;
};

// cos and sin, each (tokens, head_dim / 2) f32: the first quarter of a head turns with the row, the second
// with the column. Reference: Glm4vVisionRotaryEmbedding.
void vision_rotary_table(Device& device, std::span<const PatchPosition> positions, double theta,
                         const TensorView& cos, const TensorView& sin);

struct TextRotaryOptions {
  double theta = 10000.0;
  std::array<int64_t, 3> sections{8, 12,
                                  12};  // angles that turn with time, height, width; together rotary_dim / 2
};

// Angle per unit of position of each of `angles` columns.
std::vector<float> text_frequencies(const TextRotaryOptions& options, int64_t angles);

// cos and sin, each (tokens, rotary_dim / 2) f32. Reference: Glm4vTextRotaryEmbedding.
void text_rotary_table(Device& device, std::span<const TokenPosition> positions,
                       const TextRotaryOptions& options, const TensorView& cos, const TensorView& sin);

enum class RotaryPairs {
  kHalves,       // element i turns with element i + head_dim / 2 (reference: apply_rotary_pos_emb_vision)
  kInterleaved,  // element 2i turns with element 2i + 1; elements past the table's width stay (reference:
                 // apply_rotary_pos_emb)
};

// Turns x (tokens, heads, head_dim) f32 or bf16 in place; cos and sin (tokens, angles) f32.
void rotary(Device& device, const TensorView& x, const ConstTensorView& cos, const ConstTensorView& sin,
            RotaryPairs pairs);

}  // namespace glyph::ops
