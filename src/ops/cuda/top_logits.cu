// The largest of each row of logits: blocks find those of a part of a row by merging sorted pieces, one block merges the parts.
#include <algorithm>

#include "ops/cuda/elements.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/ops.h"
#include "ops/cuda/reduce.cuh"
#include "ops/top_logits.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {
namespace {

constexpr int kMost = TopLogits::kMost;
constexpr int kThreads = 512;
constexpr int kKeys = 4096;                // that a block sorts at once
constexpr int kMaxParts = kKeys / kMost;   // of a row

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

// A step of bitonic sorting: pairs `stride` apart of the first `count` keys; runs of `size` are sorted down and up by turns.
__device__ void exchange(Key* keys, int count, int size, int stride) {
  for (int pair = static_cast<int>(threadIdx.x); pair < count / 2; pair += kThreads) {
    const int i = 2 * pair - (pair & (stride - 1)), j = i + stride;
    const Key a = keys[i], b = keys[j];
    if (((i & size) == 0) == (a < b)) {
      keys[i] = b;
      keys[j] = a;
    }
  }
  __syncthreads();
}

// keys[0 .. kMost) become the largest of all kKeys, in order. Of a run that goes down and one that goes up, the larger of each
// two that face each other are the largest half of both, and only need merging.
__device__ void keep_largest(Key* keys) {
  __syncthreads();
  for (int size = 2; size <= kMost; size *= 2) {
    for (int stride = size / 2; stride > 0; stride /= 2) exchange(keys, kKeys, size, stride);
  }
  for (int count = kKeys / 2; count >= kMost; count /= 2) {
    Key larger[kKeys / 2 / kThreads];
#pragma unroll
    for (int n = 0; n < kKeys / 2 / kThreads; ++n) {
      const int i = static_cast<int>(threadIdx.x) + n * kThreads, run = i / kMost * 2 * kMost + i % kMost;
      if (i < count) larger[n] = max(keys[run], keys[run + kMost]);
    }
    __syncthreads();
#pragma unroll
    for (int n = 0; n < kKeys / 2 / kThreads; ++n) {
      const int i = static_cast<int>(threadIdx.x) + n * kThreads;
      if (i < count) keys[i] = larger[n];
    }
    __syncthreads();
    for (int stride = kMost / 2; stride > 0; stride /= 2) exchange(keys, count, kMost, stride);
  }
}

// The same order of adding whatever runs beside it.
__device__ double sum_of_block(double value) {
  __shared__ double partial[kThreads];
  __syncthreads();
  partial[threadIdx.x] = value;
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
  }
  __syncthreads();
  return partial[0];
}

// Block (part, row): elements [part * each, + each) of the row.
__global__ void __launch_bounds__(kThreads) parts_kernel(Matrix<const float> logits, int64_t n, int64_t each, Part* parts) {
  __shared__ Key keys[kKeys];
  let_next_kernel_start();
  wait_for_kernel_before();
  const float* row = logits.row(blockIdx.y);
  const int64_t begin = blockIdx.x * each, end = min(n, begin + each);
  float largest = -INFINITY;
  bool bad = false;
  int kept = 0;  // keys of what came before
  for (int64_t from = begin; from < end;) {
    for (int i = static_cast<int>(threadIdx.x) + kept; i < kKeys; i += kThreads) {
      const int64_t id = from + i - kept;
      Key key = 0;
      if (id < end) {
        const float x = row[id];
        bad |= !(x < INFINITY);
        largest = fmaxf(largest, x);
        key = key_of(x, static_cast<uint32_t>(id));
      }
      keys[i] = key;
    }
    keep_largest(keys);
    from += kKeys - kept;
    kept = kMost;
  }
  largest = max_block(largest);
  double sum = 0;
  if (largest > -INFINITY) {
    for (int64_t id = begin + threadIdx.x; id < end; id += kThreads) sum += static_cast<double>(expf(row[id] - largest));
  }
  sum = sum_of_block(sum);
  bad = __syncthreads_or(bad) != 0;
  Part& part = parts[blockIdx.y * gridDim.x + blockIdx.x];
  if (threadIdx.x < kMost) part.keys[threadIdx.x] = keys[threadIdx.x];
  if (threadIdx.x == 0) {
    part.sum = sum;
    part.largest = largest;
    part.bad = bad ? 1 : 0;
  }
}

// Block (row).
__global__ void __launch_bounds__(kThreads) rows_kernel(const Part* parts, int num_parts, int64_t n, TopLogits* out) {
  __shared__ Key keys[kKeys];
  let_next_kernel_start();
  wait_for_kernel_before();
  const Part* part = parts + static_cast<int64_t>(blockIdx.x) * num_parts;
  for (int i = static_cast<int>(threadIdx.x); i < kKeys; i += kThreads) {
    keys[i] = i < num_parts * kMost ? part[i / kMost].keys[i % kMost] : 0;
  }
  keep_largest(keys);
  TopLogits& top = out[blockIdx.x];
  const int count = static_cast<int>(min(n, static_cast<int64_t>(kMost)));
  if (threadIdx.x < kMost) {
    const bool there = static_cast<int>(threadIdx.x) < count;
    top.values[threadIdx.x] = there ? value_of(keys[threadIdx.x]) : 0.0f;
    top.ids[threadIdx.x] = there ? id_of(keys[threadIdx.x]) : 0;
  }
  if (threadIdx.x != 0) return;
  float largest = -INFINITY;
  int32_t bad = 0;
  for (int i = 0; i < num_parts; ++i) {
    largest = fmaxf(largest, part[i].largest);
    bad |= part[i].bad;
  }
  double sum = 0;
  for (int i = 0; i < num_parts; ++i) {
    if (part[i].largest > -INFINITY) sum += part[i].sum * exp(static_cast<double>(part[i].largest) - static_cast<double>(largest));
  }
  top.log_sum = largest > -INFINITY ? static_cast<double>(largest) + log(sum) : -INFINITY;
  top.count = count;
  top.bad = bad;
}

}  // namespace

void top_logits(CudaDevice& device, const ConstTensorView& logits, const TensorView& out) {
  const int64_t rows = logits.size(0), n = logits.size(1);
  if (!device.ok() || rows == 0) return;
  const int64_t num_parts = std::min<int64_t>((n + kKeys - 1) / kKeys, kMaxParts), each = (n + num_parts - 1) / num_parts;
  const DeviceMemory memory = device.allocate(static_cast<size_t>(rows * num_parts) * sizeof(Part));
  if (memory == nullptr) return;
  auto* parts = static_cast<Part*>(memory.get());
  const dim3 grid(static_cast<unsigned>(num_parts), static_cast<unsigned>(rows));
  launch(device, "top_logits", parts_kernel, {grid, kThreads, 0, Start::kEarly}, matrix_of<float>(logits), n, each, parts);
  launch(device, "top_logits", rows_kernel, {static_cast<unsigned>(rows), kThreads, 0, Start::kEarly}, parts,
         static_cast<int>(num_parts), n, static_cast<TopLogits*>(out.raw()));
}

}  // namespace glyph::ops::cuda
