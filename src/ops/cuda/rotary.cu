// Rotary position embedding: a thread turns some pairs of elements, or fills an entry of a table.
#include <algorithm>

#include "ops/cuda/elements.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/lookups.h"
#include "ops/cuda/ops.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {
namespace {

constexpr unsigned kThreads = 256;
unsigned blocks_for(int64_t count) { return static_cast<unsigned>((count + kThreads - 1) / kThreads); }
__device__ int64_t thread_index() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

struct Angles {
  const float* cos;  // (tokens, half), dense
  const float* sin;
  int64_t half;
};

struct Heads {
  int64_t rows, count;
  int64_t row_stride, head_stride;  // elements
};

// One thread turns kPairs neighbouring pairs.
template <typename T, int kPairs, bool kInterleaved>
__global__ void rotary_kernel(T* x, Heads heads, Angles angles) {
  let_next_kernel_start();
  wait_for_kernel_before();
  const int64_t index = thread_index(), in_head = angles.half / kPairs;
  if (index >= heads.rows * heads.count * in_head) return;
  const int64_t i = index % in_head * kPairs, head = index / in_head % heads.count,
                row = index / in_head / heads.count;
  T* data = x + row * heads.row_stride + head * heads.head_stride;
  float c[kPairs], s[kPairs];
  load(angles.cos + row * angles.half + i, c);
  load(angles.sin + row * angles.half + i, s);
  if constexpr (kInterleaved && kPairs > 1) {
    float v[2 * kPairs];
    load(data + 2 * i, v);
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const float a = v[2 * j], b = v[2 * j + 1];
      v[2 * j] = a * c[j] - b * s[j];
      v[2 * j + 1] = b * c[j] + a * s[j];
    }
    store(v, data + 2 * i);
  } else {
    T* first_of_pairs = data + (kInterleaved ? 2 * i : i);
    T* second_of_pairs = kInterleaved ? first_of_pairs + 1 : first_of_pairs + angles.half;
    float a[kPairs], b[kPairs];
    load(first_of_pairs, a);
    load(second_of_pairs, b);
#pragma unroll
    for (int j = 0; j < kPairs; ++j) {
      const float first = a[j];
      a[j] = first * c[j] - b[j] * s[j];
      b[j] = b[j] * c[j] + first * s[j];
    }
    store(a, first_of_pairs);
    store(b, second_of_pairs);
  }
}

constexpr int kManyPairs = 4;

// Whether kManyPairs pairs lie where one load finds them.
bool wide(const TensorView& x, const Angles& angles) {
  const auto unit = static_cast<int64_t>(2 * kManyPairs);
  const auto bytes = static_cast<uintptr_t>(unit) * size_of(x.dtype());
  const auto tables = reinterpret_cast<uintptr_t>(angles.cos) | reinterpret_cast<uintptr_t>(angles.sin);
  return angles.half % kManyPairs == 0 && tables % (kManyPairs * sizeof(float)) == 0 && reinterpret_cast<uintptr_t>(x.raw()) % bytes == 0 && x.stride(0) % unit == 0 &&
         x.stride(1) % unit == 0;
}

template <typename T, int kPairs>
void launch_rotary(CudaDevice& device, const TensorView& x, const Angles& angles, RotaryPairs pairs) {
  const Heads heads{x.size(0), x.size(1), x.stride(0), x.stride(1)};
  const unsigned blocks = blocks_for(heads.rows * heads.count * angles.half / kPairs);
  auto* kernel = pairs == RotaryPairs::kInterleaved ? rotary_kernel<T, kPairs, true> : rotary_kernel<T, kPairs, false>;
  launch(device, "rotary", kernel, {blocks, kThreads, 0, Start::kRecorded}, static_cast<T*>(x.raw()), heads, angles);
}

// Kernel arguments, so that no transfer is needed for them.
constexpr size_t kMaxFrequencies = 256;
struct Frequencies {
  float value[kMaxFrequencies];
};

Frequencies as_argument(std::span<const float> frequencies) {
  GLYPH_CHECK(frequencies.size() <= kMaxFrequencies);
  Frequencies argument{};
  std::copy(frequencies.begin(), frequencies.end(), argument.value);
  return argument;
}

struct Table {
  float* cos;
  float* sin;
  int64_t tokens, width;
};

Table table_of(const TensorView& cos, const TensorView& sin) {
  return {cos.data<float>(), sin.data<float>(), cos.size(0), cos.size(1)};
}

__device__ void put_angle(const Table& table, int64_t index, float angle) {
  table.cos[index] = cosf(angle);
  table.sin[index] = sinf(angle);
}

__global__ void vision_table_kernel(const PatchPosition* positions, Frequencies frequencies, Table table) {
  const int64_t index = thread_index();
  if (index >= table.tokens * table.width) return;
  const PatchPosition position = positions[index / table.width];
  const int64_t i = index % table.width, per_axis = table.width / 2;
  const int32_t coordinate = i < per_axis ? position.row : position.column;
  put_angle(table, index, static_cast<float>(coordinate) * frequencies.value[i % per_axis]);
}

__global__ void text_table_kernel(const TokenPosition* positions, Frequencies frequencies, int64_t time,
                                  int64_t height, Table table) {
  let_next_kernel_start();
  wait_for_kernel_before();
  const int64_t index = thread_index();
  if (index >= table.tokens * table.width) return;
  const TokenPosition position = positions[index / table.width];
  const int64_t i = index % table.width;
  const int32_t coordinate = i < time ? position.time : i < time + height ? position.height : position.width;
  put_angle(table, index, static_cast<float>(coordinate) * frequencies.value[i]);
}

template <typename T>
DeviceMemory on_device_copy(CudaDevice& device, std::span<const T> values) {
  DeviceMemory memory = device.allocate(values.size_bytes());
  device.upload(memory.get(), values.data(), values.size_bytes());
  return memory;
}

}  // namespace

void rotary(CudaDevice& device, const TensorView& x, const ConstTensorView& cos, const ConstTensorView& sin,
            RotaryPairs pairs) {
  const int64_t count = x.size(0) * x.size(1) * cos.size(1);
  if (!device.ok() || count == 0) return;
  const Angles angles{cos.data<float>(), sin.data<float>(), cos.size(1)};
  with_type(x.dtype(), [&](auto type) {
    using T = decltype(type);
    if (wide(x, angles)) {
      launch_rotary<T, kManyPairs>(device, x, angles, pairs);
    } else {
      launch_rotary<T, 1>(device, x, angles, pairs);
    }
  });
}

void vision_rotary_table(CudaDevice& device, std::span<const PatchPosition> positions,
                         std::span<const float> frequencies, const TensorView& cos, const TensorView& sin) {
  const DeviceMemory there = on_device_copy(device, positions);
  const int64_t count = cos.size(0) * cos.size(1);
  if (!device.ok() || count == 0) return;
  vision_table_kernel<<<blocks_for(count), kThreads, 0, device.stream()>>>(
      static_cast<const PatchPosition*>(there.get()), as_argument(frequencies), table_of(cos, sin));
  device.note_launch("vision_rotary_table");
}

void fill_text_table(CudaDevice& device, const TokenPosition* positions, std::span<const float> frequencies,
                     const TextRotaryOptions& options, const TensorView& cos, const TensorView& sin) {
  const int64_t count = cos.size(0) * cos.size(1);
  if (!device.ok() || count == 0) return;
  launch(device, "text_rotary_table", text_table_kernel, {blocks_for(count), kThreads, 0, Start::kRecorded}, positions,
         as_argument(frequencies), options.sections[0], options.sections[1], table_of(cos, sin));
}

void text_rotary_table(CudaDevice& device, std::span<const TokenPosition> positions,
                       std::span<const float> frequencies, const TextRotaryOptions& options,
                       const TensorView& cos, const TensorView& sin) {
  const DeviceMemory there = on_device_copy(device, positions);
  fill_text_table(device, static_cast<const TokenPosition*>(there.get()), frequencies, options, cos, sin);
}

}  // namespace glyph::ops::cuda
