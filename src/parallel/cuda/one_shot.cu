#include <cuda_bf16.h>

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

// The last block of a kernel names the next call.
__device__ void end_call(const OneShot& shot, uint32_t call) {
  __syncthreads();
  if (threadIdx.x != 0) return;
  if (atomicAdd(shot.state + 1, 1u) + 1 != gridDim.x) return;
  shot.state[1] = 0;
  shot.state[0] = call + 1 == 0 ? 2 : call + 1;
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
  end_call(shot, call);
}

constexpr int kItems = 4;  // packs of a thread, in registers
constexpr int kWarp = 32;

__device__ float sum_of_warp(float value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(0xFFFFFFFFu, value, offset);
  return value;
}

// The same value in every thread; `partial` has room for every warp.
__device__ float sum_of_block(float value, float* partial) {
  value = sum_of_warp(value);
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
  __syncthreads();
  const unsigned lane = threadIdx.x % kWarp;
  return sum_of_warp(lane < blockDim.x / kWarp ? partial[lane] : 0.0f);
}

__device__ void put(float* to, float2 value) { *reinterpret_cast<float2*>(to) = value; }
__device__ void put(__nv_bfloat16* to, float2 value) { *reinterpret_cast<__nv_bfloat162*>(to) = __floats2bfloat162_rn(value.x, value.y); }

// One block a row.
template <int kSize, typename Out>
__global__ void norm_kernel(OneShot shot, OneShotNorm<Out> norm) {
  __shared__ float partial[2][kWarp];
  const uint32_t call = *static_cast<const volatile uint32_t*>(shot.state);
  const int64_t packs = norm.n / 2, row = blockIdx.x;
  const auto* const branch = reinterpret_cast<const float2*>(norm.branch) + row * packs;
  const int64_t set = (call & 1) * kSize * shot.capacity + row * packs;
  float2 own[kItems], sum[kItems];
#pragma unroll
  for (int item = 0; item < kItems; ++item) {
    const int64_t i = item * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    if (i >= packs) break;
    own[item] = branch[i];
#pragma unroll
    for (int to = 0; to < kSize; ++to) {
      if (to != shot.rank) send_pack(shot.inbox[to] + set + shot.rank * shot.capacity + i, own[item], call);
    }
  }
  const uint4* const inbox = shot.inbox[shot.rank] + set;
  float squares = 0;
#pragma unroll
  for (int item = 0; item < kItems; ++item) {
    const int64_t i = item * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    if (i >= packs) break;
    sum[item] = {0, 0};
#pragma unroll
    for (int from = 0; from < kSize; ++from) {
      const float2 value = from == shot.rank ? own[item] : receive_pack(inbox + from * shot.capacity + i, call, shot.aborted);
      sum[item] = {sum[item].x + value.x, sum[item].y + value.y};
    }
    squares += sum[item].x * sum[item].x + sum[item].y * sum[item].y;
  }
  const float branch_scale = rsqrtf(sum_of_block(squares, partial[0]) / static_cast<float>(norm.n) + norm.eps);
  auto* const x = reinterpret_cast<float2*>(norm.x + row * norm.x_stride);
  squares = 0;
#pragma unroll
  for (int item = 0; item < kItems; ++item) {
    const int64_t i = item * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    if (i >= packs) break;
    const float2 weight = reinterpret_cast<const float2*>(norm.branch_weight)[i], before = x[i];
    sum[item] = {before.x + sum[item].x * branch_scale * weight.x, before.y + sum[item].y * branch_scale * weight.y};
    x[i] = sum[item];
    squares += sum[item].x * sum[item].x + sum[item].y * sum[item].y;
  }
  const float scale = rsqrtf(sum_of_block(squares, partial[1]) / static_cast<float>(norm.n) + norm.eps);
#pragma unroll
  for (int item = 0; item < kItems; ++item) {
    const int64_t i = item * static_cast<int64_t>(blockDim.x) + threadIdx.x;
    if (i >= packs) break;
    const float2 weight = reinterpret_cast<const float2*>(norm.next_weight)[i];
    put(norm.out + row * norm.out_stride + 2 * i, {sum[item].x * weight.x * scale, sum[item].y * weight.y * scale});
  }
  end_call(shot, call);
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

template <typename Out>
cudaError_t one_shot_norm(const OneShot& shot, const OneShotNorm<Out>& norm, cudaStream_t stream) {
  if (norm.rows == 0) return cudaSuccess;
  const auto threads = static_cast<unsigned>((norm.n / 2 + kItems * kWarp - 1) / (kItems * kWarp) * kWarp);
  const auto blocks = static_cast<unsigned>(norm.rows);
  switch (shot.size) {
    case 2: norm_kernel<2><<<blocks, threads, 0, stream>>>(shot, norm); break;
    case 4: norm_kernel<4><<<blocks, threads, 0, stream>>>(shot, norm); break;
    case 8: norm_kernel<8><<<blocks, threads, 0, stream>>>(shot, norm); break;
    default: return cudaErrorInvalidValue;
  }
  return cudaGetLastError();
}
template cudaError_t one_shot_norm(const OneShot&, const OneShotNorm<float>&, cudaStream_t);
template cudaError_t one_shot_norm(const OneShot&, const OneShotNorm<__nv_bfloat16>&, cudaStream_t);

}  // namespace glyph
