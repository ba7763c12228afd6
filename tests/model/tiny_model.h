// The tiny Glm4v of the tests: weights and pages from a counter-based generator that
// tools/model_oracle/tiny_model.py implements too.
//
// Element i of tensor `name` under `seed`: z = splitmix64(fnv1a64(name) + seed + i); u = (z >> 40) / 2^23 -
// 1, in [-1, 1). Norm weights are 1 + u / 4, biases u / 4, the token table u, anything else u * sqrt(3 /
// inputs). All in f32.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "glyph/document.h"
#include "weights/config.h"
#include "weights/safetensors.h"

namespace glyph::testing {

inline constexpr uint64_t kGoldenSeed = 1;

std::vector<float> tiny_weight(const std::string& name, const std::vector<int64_t>& shape, uint64_t seed);
Image tiny_page(const std::string& name, uint64_t seed, int height, int width, int channels);

// Writes the weights that `config` needs as one safetensors file, stored as `type`.
Status write_tiny_checkpoint(const ModelConfig& config, uint64_t seed, StoredType type,
                             const std::filesystem::path& file);

}  // namespace glyph::testing
