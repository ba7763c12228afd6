#include "ops/cpu/kernels.h"

namespace glyph::ops::cpu {

const Kernels& kernels_for(CpuLevel level) {
  switch (level) {
#if defined(GLYPH_X86_KERNELS)
    case CpuLevel::kAmx:
      return *amx_kernels();
    case CpuLevel::kAvx512Bf16:
      return *avx512bf16_kernels();
    case CpuLevel::kAvx512:
      return *avx512_kernels();
    case CpuLevel::kAvx2:
      return *avx2_kernels();
#endif
    default:
      return *baseline_kernels();
  }
}

}  // namespace glyph::ops::cpu
