#include "ops/cpu/kernel_table.h"

namespace glyph::ops::cpu {

const Kernels* avx2_kernels() {
  static constexpr Kernels kernels = make_kernels(nullptr);
  return &kernels;
}

}  // namespace glyph::ops::cpu
