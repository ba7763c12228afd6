// Starting kernels, and letting those of a decode step overlap.
//
// A step is a chain of some hundreds of short kernels. Started one after another, each leaves the memory idle for as long
// as its last blocks run, the next one is launched and its first loads are under way. So a kernel of a step starts early:
// its blocks come while the kernel before it (its predecessor) still runs, ask for their weights, and wait. (CUDA calls
// this programmatic dependent launch.)
//
// What keeps this right:
// - Every block of a kernel that may start early calls wait_for_kernel_before(), in all threads, before it reads what any
//   kernel writes and before it writes anything. The wait is for the whole predecessor, which has itself waited for its
//   own; so all that was queued before has ended and can be seen, and memory may be used again without further care.
//   A block that has nothing to do waits as well: else a kernel of such blocks would end before its predecessor.
// - Before the wait a kernel reads its arguments and what recorded work does not write: weights, a DecodeBatch, keys and
//   values of earlier steps. Outside of a record a kernel just queued may be making exactly those; so it is records alone
//   whose kernels start early like this (Start::kRecorded), right behind a kernel and behind nothing else. A product with
//   weights that were just widened (Product::weight_is_new) starts after them all the same.
// - let_next_kernel_start() comes first in a kernel. It takes nothing from the kernel that calls it: the next one's blocks
//   come only when each of its own has begun (and said so) or has ended, so they have the room that is left, no block is
//   kept from starting by one that waits for it, and a block that waits issues no instructions. The loads it has under
//   way are ones the step needs in any case.
// - A kernel that was started in the ordinary way finds nothing to wait for, and starts after all before it has ended,
//   whatever they said.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <type_traits>

#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {

// When the blocks of a kernel may begin.
enum class Start {
  kAfter,     // when everything before has ended
  kEarly,     // while the kernel before ends: this one reads and writes nothing but behind its wait
  kRecorded,  // likewise, but only in recorded work: this one reads what that does not write before its wait
};

struct LaunchShape {
  dim3 grid;
  unsigned threads;
  size_t shared_bytes = 0;
  Start start = Start::kAfter;
};

// launch.cu: whether kernels may be of hopper_ptx.cuh: the GPU is one, and the build has code for it. Not where GLYPH_HOPPER_KERNELS is "off".
bool has_hopper_code(CudaDevice& device);

// launch.cu: whether a kernel queued now starts early. Never before compute capability 9.0, and not where
// GLYPH_EARLY_KERNELS or GLYPH_HOPPER_KERNELS is "off" in the environment.
bool starts_early(CudaDevice& device, Start start);

// Whether a product that starts early should fetch more of its weights than its registers take, before it waits: when all
// of its blocks wait at once, `at_once` on a multiprocessor. Blocks of a later round have nothing to wait for.
inline bool fetches_more(CudaDevice& device, unsigned blocks, int at_once, Start start) {
  return blocks <= static_cast<unsigned>(at_once * device.num_multiprocessors()) && starts_early(device, start);
}

// Until all of the kernel before can be seen.
__device__ inline void wait_for_kernel_before() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
#endif
}

// From here on the next kernel may start, if it is one that starts early.
__device__ inline void let_next_kernel_start() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}

// Brings the line of `address` as far as the cache, in time for a load behind the wait: cold weights are far away. Once a
// line is enough.
constexpr int kLineBytes = 128;
__device__ inline void fetch_line(const void* address) { asm volatile("prefetch.global.L2 [%0];" ::"l"(address)); }

// How many blocks of a kernel all multiprocessors hold together: the grid of one whose blocks go on from row to row. Shared memory is
// what such a kernel keeps its next rows in, so all of it is asked for.
template <typename... Parameters>
int64_t blocks_at_once(CudaDevice& device, void (*kernel)(Parameters...), unsigned threads, size_t shared_bytes) {
  int of_one = 0;
  device.bind();
  device.note(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)), "shared memory");
  device.note(cudaFuncSetAttribute(kernel, cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared),
              "shared memory");
  device.note(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&of_one, kernel, static_cast<int>(threads), shared_bytes), "occupancy");
  return int64_t{std::max(of_one, 1)} * device.num_multiprocessors();
}

template <typename... Parameters>
void launch(CudaDevice& device, const char* name, void (*kernel)(Parameters...), const LaunchShape& shape,
            const std::type_identity_t<Parameters>&... arguments) {
  if (!device.ok()) return;
  constexpr size_t kFreelyGiven = size_t{48} << 10;  // more must be asked for
  if (shape.shared_bytes > kFreelyGiven) {
    device.note(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     static_cast<int>(shape.shared_bytes)),
                name);
  }
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = dim3(shape.threads);
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = device.stream();
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  config.attrs = &early;
  config.numAttrs = starts_early(device, shape.start) ? 1 : 0;
  device.note(cudaLaunchKernelEx(&config, kernel, arguments...), name);
}

}  // namespace glyph::ops::cuda
