// Speed of the ops that a question's time goes into, for `glyph bench ops`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/device.h"

namespace glyph::ops {

struct OpSpeed {
  std::string op;      // "linear", "full_attention", ...
  std::string shape;   // "2520 x 384 x 1152 bf16"
  double seconds = 0;  // best of the repetitions, one call
  double gflop_per_s = 0;
  double gbyte_per_s = 0;  // operands read and written once; what one-row products are bound by
};

struct BenchOpsOptions {
  double seconds_per_op = 0.3;
  bool bf16 = true;  // also measure bf16 where the device prefers it
};

// Measures linear layers, attention and one-row products at the shapes of a small model and of the 9B.
std::vector<OpSpeed> bench_ops(Device& device, const BenchOpsOptions& options = {});

}  // namespace glyph::ops
