// Rotary position embedding: one thread a pair of elements, or an entry of a table.
#include <algorithm>

#include "ops/cuda/elements.cuh"
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

template <typename T>
__global__ void rotary_kernel(T* x, Heads heads, Angles angles, bool interleaved) {
  const int64_t index = thread_index();
  if (index >= heads.rows * heads.count * angles.half) return;
  const int64_t i = index % angles.half, head = index / angles.half % heads.count,
                row = index / angles.half / heads.count;
  T* data = x + row * heads.row_stride + head * heads.head_stride;
  T* first = data + (interleaved ? 2 * i : i);
  T* second = data + (interleaved ? 2 * i + 1 : i + angles.half);
  const float c = angles.cos[row * angles.half + i], s = angles.sin[row * angles.half + i];
  const float a = to_f32(*first), b = to_f32(*second);
  put(first, a * c - b * s);
  put(second, b * c + a * s);
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
  const Heads heads{x.size(0), x.size(1), x.stride(0), x.stride(1)};
  with_output_type(x.dtype(), [&](auto type) {
    using T = decltype(type);
    rotary_kernel<T><<<blocks_for(count), kThreads, 0, device.stream()>>>(
        static_cast<T*>(x.raw()), heads, angles, pairs == RotaryPairs::kInterleaved);
  });
  device.note_launch("rotary");
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

void text_rotary_table(CudaDevice& device, std::span<const TokenPosition> positions,
                       std::span<const float> frequencies, const TextRotaryOptions& options,
                       const TensorView& cos, const TensorView& sin) {
  const DeviceMemory there = on_device_copy(device, positions);
  const int64_t count = cos.size(0) * cos.size(1);
  if (!device.ok() || count == 0) return;
  text_table_kernel<<<blocks_for(count), kThreads, 0, device.stream()>>>(
      static_cast<const TokenPosition*>(there.get()), as_argument(frequencies), options.sections[0],
      options.sections[1], table_of(cos, sin));
  device.note_launch("text_rotary_table");
}

}  // namespace glyph::ops::cuda
