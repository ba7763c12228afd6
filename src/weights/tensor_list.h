// Every tensor a Glm4v model of a given configuration needs, with its shape, as transformers 5 names them.
#pragma once

#include <vector>

#include "glyph/status.h"
#include "weights/config.h"
#include "weights/safetensors.h"

namespace glyph {

// All of model.visual.*, model.language_model.* and, unless the embeddings are tied, lm_head.weight.
std::vector<ExpectedTensor> expected_tensors(const ModelConfig& config);

// checkpoint.check() against expected_tensors(); a tied model may also carry lm_head.weight.
Status check_model_tensors(const Checkpoint& checkpoint, const ModelConfig& config);

}  // namespace glyph
