// The host's processor: its threads and the instruction sets that kernels may use.
#pragma once

#include <cstddef>
#include <string>

#include "base/thread_pool.h"
#include "tensor/device.h"

namespace glyph {

// Each level includes the ones before it.
enum class CpuLevel {
  kBaseline,    // x86-64 or anything else: portable loops
  kAvx2,        // AVX2, FMA, F16C
  kAvx512,      // AVX-512 F, BW, DQ, VL
  kAvx512Bf16,  // AVX512_BF16
  kAmx,         // AMX tiles with bf16; the kernel was asked for the tile state
};

// What this machine offers. GLYPH_CPU_LEVEL=baseline|avx2|avx512|avx512bf16|amx holds it down (tests,
// measurements).
CpuLevel detect_cpu_level();

struct CpuOptions {
  int num_threads = 0;                  // 0: one a core
  CpuLevel max_level = CpuLevel::kAmx;  // never use more than this
};

// Ops of one CpuDevice run one at a time; calls from several threads wait for each other inside the pool. Do
// not call an op from inside parallel_for.
class CpuDevice : public Device {
 public:
  explicit CpuDevice(const CpuOptions& options = {});

  std::string description() const override;
  bool prefers_bf16() const override;
  void copy_bytes(void* to, const void* from, size_t num_bytes) override;

  CpuLevel level() const { return level_; }
  ThreadPool& threads() { return threads_; }

 protected:
  void* allocate_bytes(size_t num_bytes) override;
  void free_bytes(void* memory) override;

 private:
  CpuLevel level_;
  ThreadPool threads_;
};

}  // namespace glyph
