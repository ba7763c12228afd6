// The instructions of compute capability 9.0a that its kernels are made of. PTX ISA: mbarrier, wgmma,
// setmaxnreg, fence.proxy. A warpgroup is 4 warps, the first of which has a number divisible by 4.
#pragma once

#include "ops/cuda/attention_ptx.cuh"

// Defined where the instructions of 9.0a can be compiled.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define GLYPH_HOPPER_CODE
#endif

namespace glyph::ops::cuda {

// A barrier in shared memory that counts arrivals; each time all have arrived its phase ends.
__device__ inline void init_barrier(uint64_t* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals)
               : "memory");
}
__device__ inline void arrive(uint64_t* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}
// Arrives when what this thread has started to copy so far is there, which wgmma sees after fence_for_wgmma()
// by the thread that waited.
__device__ inline void arrive_when_copied(uint64_t* barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(shared_address(barrier)) : "memory");
}
// Waits until the phase with this parity has ended; the phase before the first counts as ended with parity 1.
// Gives up after seconds: a phase that never ends is our bug, and must not hang the GPU.
__device__ inline void wait_barrier(uint64_t* barrier, int parity) {
  asm volatile(
      "{ .reg .pred ended; .reg .pred patient; .reg .u32 i; mov.u32 i, 0;\n"
      "again: mbarrier.try_wait.parity.shared::cta.b64 ended, [%0], %1;\n"
      "@ended bra done; add.u32 i, i, 1; setp.lt.u32 patient, i, 0x1000000; @patient bra again; trap;\n"
      "done: }" ::"r"(shared_address(barrier)),
      "r"(parity)
      : "memory");
}

// Makes this thread's ordinary writes to shared memory visible to wgmma.
__device__ inline void fence_for_wgmma() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
// Makes barriers initialised by this thread visible to others.
__device__ inline void fence_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

// Returns when kThreads threads have come to barrier i of the block; 0 is that of __syncthreads().
template <int kThreads>
__device__ inline void meet(int i) {
  asm volatile("bar.sync %0, %1;" ::"r"(i), "n"(kThreads) : "memory");
}

// Turns of two parties, kThreads threads together: wait_turn(i) returns when the other party gave turn i.
template <int kThreads>
__device__ inline void wait_turn(int i) {
  meet<kThreads>(i + 1);
}
template <int kThreads>
__device__ inline void give_turn(int i) {
  asm volatile("bar.arrive %0, %1;" ::"r"(i + 1), "n"(kThreads) : "memory");
}

// The registers a thread of this warpgroup may have from here on.
template <int kRegisters>
__device__ inline void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ inline void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

// Before the first product that touches registers which were written since the last one.
__device__ inline void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
// Ends a group of products.
__device__ inline void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
// Waits until at most kPending groups are under way.
template <int kPending>
__device__ inline void wait_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

// A shared matrix of rows of 64 bf16 or f16 (128 bytes, swizzled), made of groups of 8 rows that follow one another.
// `block_bytes`: for a matrix whose rows are the depth of the product, how far apart its blocks of 64 columns
// lie.
__device__ inline uint64_t describe_matrix(uint32_t address, uint32_t block_bytes) {
  constexpr uint64_t kSwizzled128 = uint64_t{1} << 62;
  constexpr uint32_t kGroupBytes = 8 * 128;
  return kSwizzled128 | uint64_t{kGroupBytes >> 4} << 32 | uint64_t{block_bytes >> 4} << 16 |
         (address & 0x3FFFFu) >> 4;
}

// The sums of a product in its instruction, and what they are.
#define GLYPH_SUMS_16 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define GLYPH_OF_1(d, n) "+f"(d[n][0]), "+f"(d[n][1]), "+f"(d[n][2]), "+f"(d[n][3])
#define GLYPH_OF_4(d, first) GLYPH_OF_1(d, first), GLYPH_OF_1(d, (first) + 1), GLYPH_OF_1(d, (first) + 2), GLYPH_OF_1(d, (first) + 3)
#define GLYPH_OF_16(d) GLYPH_OF_4(d, 0), GLYPH_OF_4(d, 4), GLYPH_OF_4(d, 8), GLYPH_OF_4(d, 12)

// d (64, 128) = or += a (64, 16) b (128, 16)^T, both of T (bf16 or f16) in shared memory. Warp w of the warpgroup has rows 16 w
// ..., in them d[n] lies as multiply_add() leaves columns 8 n ... .
template <typename T>
__device__ inline void multiply_shared(float (&d)[16][4], uint64_t a, uint64_t b, bool accumulate) {
  if constexpr (std::is_same_v<T, __half>) {
    asm volatile(
        "{ .reg .pred add; setp.ne.b32 add, %66, 0; "
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {"
        GLYPH_SUMS_16 "}, %64, %65, add, 1, 1, 0, 0; }"
        : GLYPH_OF_16(d)
        : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)));
  } else {
    asm volatile(
        "{ .reg .pred add; setp.ne.b32 add, %66, 0; "
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
        GLYPH_SUMS_16 "}, %64, %65, add, 1, 1, 0, 0; }"
        : GLYPH_OF_16(d)
        : "l"(a), "l"(b), "r"(static_cast<int>(accumulate)));
  }
}

// d (64, 128) += a (64, 16) b (16, 128): a in registers as the left operand of multiply_add(), b in shared
// memory.
template <typename T>
__device__ inline void multiply_registers(float (&d)[16][4], const uint32_t (&a)[4], uint64_t b) {
  if constexpr (std::is_same_v<T, __half>) {
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {"
        GLYPH_SUMS_16 "}, {%64, %65, %66, %67}, %68, 1, 1, 1, 1;"
        : GLYPH_OF_16(d)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  } else {
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
        GLYPH_SUMS_16 "}, {%64, %65, %66, %67}, %68, 1, 1, 1, 1;"
        : GLYPH_OF_16(d)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
  }
}

#undef GLYPH_SUMS_16
#undef GLYPH_OF_1
#undef GLYPH_OF_4
#undef GLYPH_OF_16

}  // namespace glyph::ops::cuda
