// A complete Glm4v model directory of a few hundred KiB with random weights, for tests of what happens around a model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "glyph/status.h"

namespace glyph {

struct TinyModelOptions {
  int64_t window = 32768;            // tokens
  std::vector<std::string> scripts = {};  // what config.json says it reads
  double page_dpi = 0;                    // 0: config.json names none
  bool nan_weights = false;          // every logit is NaN
  int32_t nan_token = -1;            // reading this token makes every logit NaN
  uint64_t seed = 1;
};

// Writes config.json, generation_config.json, tokenizer.json (bytes and control tokens) and model.safetensors into `dir`, which
// is created. It answers nonsense, always the same.
Status write_tiny_model(const std::filesystem::path& dir, const TinyModelOptions& options = {});

}  // namespace glyph
