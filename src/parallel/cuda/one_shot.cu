#include <algorithm>

#include "parallel/cuda/one_shot.h"

namespace glyph {
namespace {

constexpr int kThreads = 256;
constexpr uint32_t kLookEvery = 4096;  // polls between two looks at the host's memory

__device__ void send_pack(uint4* to, float2 value, uint32_t call) {
  asm volatile("st.volatile.global.v4.u32 [%0], {%1, %2, %3, %2};" ::"l"(to), "r"(__float_as_uint(value.x)), "r"(call),
               "r"(__float_as_uint(value.y))
               : "memory");
}

__device__ float2 receive_pack(const uint4* from, uint32_t call, const uint32_t* aborted) {
  uint4 pack;
  for (uint32_t polls = 1;; ++polls) {
    asm volatile("ld.volatile.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(pack.x), "=r"(pack.y), "=r"(pack.z), "=r"(pack.w)
                 : "l"(from)
                 : "memory");
    if (pack.y == call && pack.w == call) break;
    if (polls % kLookEvery == 0 && *static_cast<const volatile uint32_t*>(aborted) != 0) break;
  }
  return {__uint_as_float(pack.x), __uint_as_float(pack.z)};
}

template <int kSize>
__global__ void __launch_bounds__(kThreads) sum_kernel(OneShot shot, float2* x, int64_t packs, int root) {
  const uint32_t call = *static_cast<const volatile uint32_t*>(shot.state);
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  const int64_t set = (call & 1) * kSize * shot.capacity;
  const bool gives = root < 0 || root == shot.rank;
  for (int64_t i = first; i < packs; i += stride) {
    const float2 own = gives ? x[i] : float2{0, 0};
#pragma unroll
    for (int to = 0; to < kSize; ++to) {
      if (to != shot.rank) send_pack(shot.inbox[to] + set + shot.rank * shot.capacity + i, own, call);
    }
  }
  const uint4* const inbox = shot.inbox[shot.rank] + set;
  for (int64_t i = first; i < packs; i += stride) {
    float2 sum{0, 0};
#pragma unroll
    for (int from = 0; from < kSize; ++from) {  // the same order everywhere: the same bits
      float2 value{0, 0};
      if (from != shot.rank) value = receive_pack(inbox + from * shot.capacity + i, call, shot.aborted);
      else if (gives) value = x[i];
      sum = {sum.x + value.x, sum.y + value.y};
    }
    x[i] = sum;
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  // The last block of the kernel names the next call.
  if (atomicAdd(shot.state + 1, 1u) + 1 != gridDim.x) return;
  shot.state[1] = 0;
  shot.state[0] = call + 1 == 0 ? 2 : call + 1;
}

template <int kSize>
void launch(const OneShot& shot, float* x, int64_t packs, int root, unsigned blocks, cudaStream_t stream) {
  sum_kernel<kSize><<<blocks, kThreads, 0, stream>>>(shot, reinterpret_cast<float2*>(x), packs, root);
}

}  // namespace

// Blocks that wait for those of another GPU must all be there at once: two fit on a multiprocessor, whatever it is.
cudaError_t one_shot_sum(const OneShot& shot, float* x, int64_t count, int root, int num_multiprocessors, cudaStream_t stream) {
  const int64_t packs = count / 2;
  if (packs == 0) return cudaSuccess;
  const auto blocks = static_cast<unsigned>(std::min<int64_t>((packs + kThreads - 1) / kThreads, 2 * num_multiprocessors));
  switch (shot.size) {
    case 2: launch<2>(shot, x, packs, root, blocks, stream); break;
    case 4: launch<4>(shot, x, packs, root, blocks, stream); break;
    case 8: launch<8>(shot, x, packs, root, blocks, stream); break;
    default: return cudaErrorInvalidValue;
  }
  return cudaGetLastError();
}

}  // namespace glyph
