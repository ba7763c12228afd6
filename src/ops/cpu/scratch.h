// Memory for one step of one op, kept by each thread for the next.
#pragma once

#include <cstddef>

#include "tensor/tensor.h"

namespace glyph::ops::cpu {

// A thread's buffers by use; two uses may be held at once, the same use only once.
enum class ScratchUse {
  kPanels,  // packed operands that all threads read; owned by the thread that called the op
  kMorePanels,
  kRows,   // converted rows, likewise
  kBlock,  // one task's own sums
  kMoreBlock,
  kWideKv,  // WideKv
};
inline constexpr size_t kScratchUses = 6;

// At least num_bytes, 64-byte aligned, content undefined. Valid until the same thread asks for the same use
// again.
void* scratch_bytes(ScratchUse use, size_t num_bytes);
inline float* scratch_floats(ScratchUse use, int64_t count) {
  return static_cast<float*>(scratch_bytes(use, static_cast<size_t>(count) * sizeof(float)));
}

}  // namespace glyph::ops::cpu
