#include "ops/cuda/attention_widen.h"

#include <algorithm>
#include <bit>

#include "ops/cuda/attention_launch.cuh"
#include "ops/cuda/elements.cuh"

namespace glyph::ops::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPiece = 4;  // elements

struct WidenProblem {
  KvGeometry kv;
  const void* const* blocks;
  void* to;  // keys (KV heads, wide_tokens, head_dim), then values
  int num_tokens;
  int64_t wide_tokens;
};

// A piece a thread. Grid: (pieces of a head, KV heads, keys and values).
template <typename T>
__global__ void __launch_bounds__(kThreads) widen_rows(const __grid_constant__ WidenProblem problem) {
  const KvGeometry& kv = problem.kv;
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  const int pieces = kv.head_dim / kPiece;
  const int key = static_cast<int>(i / pieces), column = static_cast<int>(i % pieces) * kPiece;
  if (key >= problem.num_tokens) return;
  const int head = static_cast<int>(blockIdx.y);
  const Rows<E4M3> row = cached_rows<E4M3>(kv, problem.blocks, blockIdx.z == 0 ? kv.key_offset : kv.value_offset, head, key);
  float x[kPiece];
  load(row.data + column, x);
#pragma unroll
  for (float& value : x) value *= *row.scales;
  const int64_t to = (int64_t{blockIdx.z} * kv.num_kv_heads + head) * problem.wide_tokens + key;
  store(x, static_cast<T*>(problem.to) + to * kv.head_dim + column);
}

}  // namespace

WideKv::WideKv(CudaDevice& device, const KvLayer& kv, int64_t num_tokens, DType type) {
  check_head_dim(kv.head_dim);
  // A power of two: a prompt grows from chunk to chunk, and memory of an earlier size is only taken again for nearly the same one.
  const auto tokens = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(num_tokens, 1024))));
  const size_t half = kv_half_bytes(kv.num_kv_heads, tokens, kv.head_dim, type);
  memory_ = device.allocate(2 * half);
  block_ = memory_.get();
  layer_ = {.blocks = {&block_, 1},
            .device_blocks = nullptr,
            .key_offset = 0,
            .value_offset = half,
            .block_tokens = tokens,
            .num_kv_heads = kv.num_kv_heads,
            .head_dim = kv.head_dim,
            .dtype = type};
  const BlockTable table(device, kv, num_tokens);
  const WidenProblem problem{.kv = geometry_of(kv),
                             .blocks = table.blocks(),
                             .to = block_,
                             .num_tokens = static_cast<int>(num_tokens),
                             .wide_tokens = tokens};
  const dim3 grid(count_of(divide_up(num_tokens * (kv.head_dim / kPiece), kThreads)), count_of(kv.num_kv_heads), 2);
  with_type(type, [&]<typename T>(T) { launch(device, "widen_kv", widen_rows<T>, {grid, kThreads}, problem); });
}

}  // namespace glyph::ops::cuda
