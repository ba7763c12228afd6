// What a model will take of a device's memory (of the first of several, which has most), said before anything is loaded: sums over the configuration's sizes, no device needed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glyph/status.h"
#include "weights/config.h"

namespace glyph {

// How the model will be used. Sizes of elements in bytes; a quantised one counts its share of scales.
struct MemoryNeeds {
  double weight_bytes = 2;         // of the matrices in the layers
  double activation_bytes = 2;     // of features, of the token table and of what passes between layers
  double kv_bytes = 2;             // of keys and values; where it is less than activation_bytes, those of a layer are widened for a prompt
  bool weights_in_file = false;    // they stay where the file is mapped, and may be dropped from memory
  int num_devices = 1;             // that share the language model, heads and all
  int64_t page_patches = 0;        // encoded in one pass; 0: the largest page that the preprocessor lets through
  int64_t chunk_rows = 8192;       // of a prompt, read in one pass
  int64_t decode_rows = 64;        // tokens of all answers in one step
  uint64_t library_bytes = uint64_t{640} << 20;  // a driver's context, cuBLASLt and its workspace, cuDNN
  uint64_t kv_budget = 0;          // bytes of KV that are kept: of running questions and of documents
  uint64_t feature_budget = 0;     // bytes of page features that are kept
};

struct MemoryPlan {
  struct Part {
    std::string what;  // "weights"
    uint64_t bytes = 0;
  };
  std::vector<Part> parts;  // weights, workspace, KV, features, libraries
  uint64_t kv_token_bytes = 0;  // on each device
  uint64_t page_patches = 0;

  uint64_t bytes_of(const std::string& what) const;
  uint64_t total_bytes() const;
  // "weights 18.9 GiB, workspace 2.1 GiB, ...; 24.0 GiB together"
  std::string text() const;
};

MemoryPlan plan_memory(const ModelConfig& config, const PreprocessorConfig& preprocessor, const MemoryNeeds& needs);

// kExhausted when the plan does not fit into `free_bytes` of `device`; the sentence has every figure, and what could be made smaller.
Status check_memory(const MemoryPlan& plan, uint64_t free_bytes, const std::string& device);

// The largest budgets of KV and features, at most those of `needs` and in their proportion, with which the plan fits; both 0 when not
// even `least_kv` of KV does.
MemoryNeeds fit_budgets(const ModelConfig& config, const PreprocessorConfig& preprocessor, MemoryNeeds needs, uint64_t free_bytes,
                        uint64_t least_kv);

// "18.9 GiB", "512 MiB"
std::string size_text(uint64_t bytes);

}  // namespace glyph
