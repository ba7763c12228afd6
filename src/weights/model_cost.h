// What a model of a given configuration must compute and read: the numerators of achieved TFLOP/s and GB/s.
//
// A multiplication and an addition count as two operations. Norms, rotary embeddings and softmax are not counted, nor is
// what an implementation computes twice or for nothing.
#pragma once

#include <cstdint>
#include <span>

#include "weights/config.h"

namespace glyph {

// Operations of the vision model for pages of so many patches each; attention stays inside a page.
double vision_flop(const ModelConfig& config, std::span<const int64_t> page_patches);

// Operations of the language model that reads `num_tokens` behind `num_before` others, with the logits of the last one.
double prefill_flop(const ModelConfig& config, int64_t num_before, int64_t num_tokens);

// Elements that one decode step reads: the matrices of the layers, that of the head, and the keys and values of `num_tokens`.
struct DecodeReads {
  int64_t layers = 0;
  int64_t head = 0;
  int64_t kv = 0;
};
DecodeReads decode_reads(const ModelConfig& config, int64_t num_tokens);

// Elements of all matrices that a linear layer multiplies with, token table not included; of the token table; of the rest
// (norms, biases, position table, patch embedding), which stay f32.
struct WeightCounts {
  int64_t matrices = 0;
  int64_t token_table = 0;
  int64_t others = 0;
};
WeightCounts weight_counts(const ModelConfig& config);

}  // namespace glyph
