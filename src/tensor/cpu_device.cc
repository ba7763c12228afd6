#include "tensor/cpu_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace glyph {
namespace {

constexpr std::string_view kLevelNames[] = {"baseline", "avx2", "avx512", "avx512bf16", "amx"};

#if defined(__x86_64__) && defined(__linux__)
// Tile state is off until a process asks the kernel for it (Linux, Documentation/arch/x86/xstate.rst).
bool request_amx_tiles() {
  constexpr long kArchReqXcompPerm = 0x1023;
  constexpr long kXfeatureXtileData = 18;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureXtileData) == 0;
}

// CPUID leaf 7: AMX is not a name __builtin_cpu_supports knows in every compiler we build with.
bool has_amx_bf16() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;
  return (edx & kAmxBf16) != 0 && (edx & kAmxTile) != 0;
}

CpuLevel hardware_level() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return CpuLevel::kBaseline;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return CpuLevel::kAvx2;
  }
  if (!__builtin_cpu_supports("avx512bf16")) return CpuLevel::kAvx512;
  return has_amx_bf16() && request_amx_tiles() ? CpuLevel::kAmx : CpuLevel::kAvx512Bf16;
}
#else
CpuLevel hardware_level() { return CpuLevel::kBaseline; }
#endif

CpuLevel level_from_environment() {
  const char* text = std::getenv("GLYPH_CPU_LEVEL");
  if (text == nullptr) return CpuLevel::kAmx;
  const auto* found = std::find(std::begin(kLevelNames), std::end(kLevelNames), std::string_view(text));
  return found == std::end(kLevelNames) ? CpuLevel::kAmx
                                        : static_cast<CpuLevel>(found - std::begin(kLevelNames));
}

// Intel's processors before AMX multiply bf16 vectors at half the rate of f32 (measured: 112 and 190 GFLOP/s
// a core); AMD's at twice.
bool bf16_vectors_are_fast() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_is("amd") != 0;
#else
  return false;
#endif
}

// The ops of one token follow each other within microseconds.
constexpr int kSpinMicroseconds = 50;

}  // namespace

CpuLevel detect_cpu_level() {
  static const CpuLevel level = hardware_level();
  return std::min(level, level_from_environment());
}

CpuDevice::CpuDevice(const CpuOptions& options)
    : Device(DeviceKind::kCpu),
      level_(std::min(detect_cpu_level(), options.max_level)),
      threads_(options.num_threads, "glyph-ops", kSpinMicroseconds) {}

bool CpuDevice::prefers_bf16() const {
  return level_ == CpuLevel::kAmx || (level_ == CpuLevel::kAvx512Bf16 && bf16_vectors_are_fast());
}

std::string CpuDevice::description() const {
  return fmt::format("CPU, {} threads, {}", threads_.num_threads(), kLevelNames[static_cast<size_t>(level_)]);
}

void CpuDevice::copy_bytes(void* to, const void* from, size_t num_bytes) { std::memcpy(to, from, num_bytes); }

void* CpuDevice::allocate_bytes(size_t num_bytes) { return ::operator new (num_bytes, std::align_val_t{64}); }

void CpuDevice::free_bytes(void* memory) { ::operator delete (memory, std::align_val_t{64}); }

}  // namespace glyph
