// The largest of each row of logits: a warp sorts 64 of them in its registers, a block merges those of its warps, and one block a row
// merges what the blocks of parts left.
#include "ops/cuda/elements.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/ops.h"
#include "ops/cuda/reduce.cuh"
#include "ops/top_logits.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {
namespace {

constexpr int kMost = TopLogits::kMost;
static_assert(kMost == 2 * kWarp, "two keys a lane");
constexpr int kPartWarps = 16, kRowWarps = 32;
constexpr int kPartSize = kPartWarps * kMost;  // elements of a part

// A value and its id in the order that TopLogits has: a larger key comes first. 0 is after all of them.
using Key = unsigned long long;

__device__ Key key_of(float value, uint32_t id) {
  const uint32_t bits = __float_as_uint(value == 0.0f ? 0.0f : value);  // -0 is equal to 0
  const uint32_t ordered = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  return (static_cast<Key>(ordered) << 32) | (0xFFFFFFFFu - id);
}
__device__ float value_of(Key key) {
  const auto ordered = static_cast<uint32_t>(key >> 32);
  return __uint_as_float((ordered >> 31) != 0 ? ordered & 0x7FFFFFFFu : ~ordered);
}
__device__ int32_t id_of(Key key) { return static_cast<int32_t>(0xFFFFFFFFu - static_cast<uint32_t>(key)); }

// What is known of a part of a row.
struct Part {
  Key keys[kMost];  // the largest first
  double sum;       // of exp(x - largest)
  float largest;
  int32_t bad;
};

// kMost keys of a warp: a lane has those at `lane` and `lane + 32`.
struct WarpKeys {
  Key key[2] = {0, 0};

  // A step of bitonic sorting: of two keys `stride` apart the larger comes first in runs of `size` with an even number.
  __device__ void exchange(int size, int stride) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    if (stride == kWarp) {  // only in a run of all
      const Key larger = max(key[0], key[1]);
      key[1] = min(key[0], key[1]);
      key[0] = larger;
      return;
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const Key other = __shfl_xor_sync(0xFFFFFFFFu, key[i], stride);
      const bool down = ((i * kWarp + lane) & size) == 0, first = (lane & stride) == 0;
      key[i] = down == first ? max(key[i], other) : min(key[i], other);
    }
  }
  __device__ void sort() {
#pragma unroll
    for (int size = 2; size <= kMost; size *= 2) {
#pragma unroll
      for (int stride = size / 2; stride > 0; stride /= 2) exchange(size, stride);
    }
  }
  // The largest of these and `others`, both in order. The larger of each first and last, second and last but one, and so on
  // are the largest half of both, and only need merging.
  __device__ void merge(const Key* others) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    key[0] = max(key[0], others[kMost - 1 - lane]);
    key[1] = max(key[1], others[kWarp - 1 - lane]);
#pragma unroll
    for (int stride = kWarp; stride > 0; stride /= 2) exchange(kMost, stride);
  }
  __device__ void store(Key* to) const {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    to[lane] = key[0];
    to[kWarp + lane] = key[1];
  }
};

// The first warp gets the largest of all warps.
template <int kWarps>
__device__ void merge_warps(WarpKeys& own, Key (&shared)[kWarps / 2][kMost]) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
#pragma unroll
  for (int half = kWarps / 2; half > 0; half /= 2) {
    if (warp >= half && warp < 2 * half) own.store(shared[warp - half]);
    __syncthreads();
    if (warp < half) own.merge(shared[warp]);
    __syncthreads();
  }
}

// The same order of adding whatever runs beside it. The first thread gets the sum.
template <int kWarps>
__device__ double sum_of_block(double value) {
  __shared__ double of_warp[kWarps];
  value = reduce_warp(value, [](double a, double b) { return a + b; });
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = value;
  __syncthreads();
  double sum = 0;
  if (threadIdx.x == 0) {
    for (int w = 0; w < kWarps; ++w) sum += of_warp[w];
  }
  return sum;
}

// Block (part, row).
__global__ void __launch_bounds__(kPartWarps * kWarp) parts_kernel(Matrix<const float> logits, int64_t n, Part* parts) {
  __shared__ Key shared[kPartWarps / 2][kMost];
  let_next_kernel_start();
  wait_for_kernel_before();
  const float* row = logits.row(blockIdx.y);
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kPartSize + threadIdx.x / kWarp * kMost + threadIdx.x % kWarp;
  WarpKeys keys;
  float x[2];
  bool bad = false;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int64_t id = first + i * kWarp;
    x[i] = -INFINITY;
    if (id >= n) continue;
    x[i] = row[id];
    bad |= !(x[i] < INFINITY);
    keys.key[i] = key_of(x[i], static_cast<uint32_t>(id));
  }
  keys.sort();
  merge_warps<kPartWarps>(keys, shared);
  const float largest = max_block(fmaxf(x[0], x[1]));
  double sum = 0;
  if (largest > -INFINITY) sum = static_cast<double>(expf(x[0] - largest)) + static_cast<double>(expf(x[1] - largest));
  sum = sum_of_block<kPartWarps>(sum);
  bad = __syncthreads_or(bad) != 0;
  Part& part = parts[blockIdx.y * gridDim.x + blockIdx.x];
  if (threadIdx.x < kWarp) keys.store(part.keys);
  if (threadIdx.x == 0) {
    part.sum = sum;
    part.largest = largest;
    part.bad = bad ? 1 : 0;
  }
}

// Block (row).
__global__ void __launch_bounds__(kRowWarps * kWarp) rows_kernel(const Part* parts, int num_parts, int64_t n, TopLogits* out) {
  __shared__ Key shared[kRowWarps / 2][kMost];
  let_next_kernel_start();
  wait_for_kernel_before();
  const Part* part = parts + static_cast<int64_t>(blockIdx.x) * num_parts;
  WarpKeys keys;
  for (int i = static_cast<int>(threadIdx.x) / kWarp; i < num_parts; i += kRowWarps) keys.merge(part[i].keys);
  merge_warps<kRowWarps>(keys, shared);

  const int thread = static_cast<int>(threadIdx.x), threads = kRowWarps * kWarp;
  float own_largest = -INFINITY;
  bool bad = false;
  for (int i = thread; i < num_parts; i += threads) {
    own_largest = fmaxf(own_largest, part[i].largest);
    bad |= part[i].bad != 0;
  }
  const float largest = max_block(own_largest);
  bad = __syncthreads_or(bad) != 0;
  double sum = 0;
  for (int i = thread; i < num_parts; i += threads) {
    if (part[i].largest > -INFINITY) sum += part[i].sum * exp(static_cast<double>(part[i].largest) - static_cast<double>(largest));
  }
  sum = sum_of_block<kRowWarps>(sum);

  TopLogits& top = out[blockIdx.x];
  const int count = static_cast<int>(min(n, static_cast<int64_t>(kMost)));
  if (thread < kWarp) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int at = i * kWarp + thread;
      top.values[at] = at < count ? value_of(keys.key[i]) : 0.0f;
      top.ids[at] = at < count ? id_of(keys.key[i]) : 0;
    }
  }
  if (thread != 0) return;
  top.log_sum = largest > -INFINITY ? static_cast<double>(largest) + log(sum) : -INFINITY;
  top.count = count;
  top.bad = bad ? 1 : 0;
}

}  // namespace

void top_logits(CudaDevice& device, const ConstTensorView& logits, const TensorView& out) {
  const int64_t rows = logits.size(0), n = logits.size(1);
  if (!device.ok() || rows == 0) return;
  const int64_t num_parts = (n + kPartSize - 1) / kPartSize;
  const DeviceMemory memory = device.allocate(static_cast<size_t>(rows * num_parts) * sizeof(Part));
  if (memory == nullptr) return;
  auto* parts = static_cast<Part*>(memory.get());
  const dim3 grid(static_cast<unsigned>(num_parts), static_cast<unsigned>(rows));
  launch(device, "top_logits", parts_kernel, {grid, kPartWarps * kWarp, 0, Start::kEarly}, matrix_of<float>(logits), n, parts);
  launch(device, "top_logits", rows_kernel, {static_cast<unsigned>(rows), kRowWarps * kWarp, 0, Start::kEarly}, parts,
         static_cast<int>(num_parts), n, static_cast<TopLogits*>(out.raw()));
}

}  // namespace glyph::ops::cuda
