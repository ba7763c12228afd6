// What stands in for the files of a model directory where only speed and memory are measured: weights come from a seed
// (Checkpoint::random), and this is the rest.
#pragma once

#include <string>

#include "glyph/status.h"
#include "weights/config.h"

namespace glyph {

// The sizes of GLM-4.1V-9B (reference: config.json of GLM-4.1V-9B-Thinking), with a context window of 262,144 tokens
// instead of 65,536, so that the cost of long prompts can be measured.
ModelConfig stand_in_config();
// Stops at the configuration's ids, greedy.
GenerationConfig stand_in_generation(const ModelConfig& config);
// Lets pictures of 36 megapixels through as they are.
PreprocessorConfig stand_in_preprocessor(const ModelConfig& config);

// tokenizer.json of a byte-level tokenizer: ids 0 to 255 are bytes, the picture tokens have the configuration's ids, the
// other control tokens ids that are free. kRefused when the vocabulary is too small.
Result<std::string> stand_in_tokenizer_json(const ModelConfig& config);

}  // namespace glyph
