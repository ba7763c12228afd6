// Rotary position embedding: a thread turns some pairs of elements, or fills an entry of a table.
#include <algorithm>

#include "ops/cuda/elements.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/lookups.h"
#include "ops/cuda/ops.h"
#include "ops/cuda/rotary.cuh"
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
    for (int j = 0; j < kPairs; ++j) turn(v[2 * j], v[2 * j + 1], c[j], s[j]);
    store(v, data + 2 * i);
  } else {
    T* first_of_pairs = data + (kInterleaved ? 2 * i : i);
    T* second_of_pairs = kInterleaved ? first_of_pairs + 1 : first_of_pairs + angles.half;
    float a[kPairs], b[kPairs];
    load(first_of_pairs, a);
    load(second_of_pairs, b);
#pragma unroll
    for (int j = 0; j < kPairs; ++j) turn(a[j], b[j], c[j], s[j]);
    store(a, first_of_pairs);
    store(b, second_of_pairs);
  }
}

// Of many rows: one thread turns kPairsOfHead neighbouring pairs of up to kHeadsTogether heads, `groups` heads apart, whose angles are
// the same, and has asked for all of them before it turns the first.
constexpr int kPairsOfHead = 8, kHeadsTogether = 4;

template <typename T, bool kInterleaved>
__global__ void __launch_bounds__(kThreads)
    rotary_many_kernel(T* x, Heads heads, Angles angles, unsigned groups, unsigned count) {
  constexpr int kPacked = kPairsOfHead;  // elements of a load: two loads have all pairs
  let_next_kernel_start();
  wait_for_kernel_before();
  const unsigned index = blockIdx.x * kThreads + threadIdx.x, in_head = static_cast<unsigned>(angles.half) / kPairsOfHead;
  if (index >= count) return;
  const unsigned group = index / in_head % groups;
  const int64_t i = index % in_head * kPairsOfHead, row = index / in_head / groups;
  T* const data = x + row * heads.row_stride + (kInterleaved ? 2 * i : i);
  const int64_t to_second = kInterleaved ? kPacked : angles.half;
  const auto each = [&](const auto& body) {
#pragma unroll
    for (int j = 0; j < kHeadsTogether; ++j) {
      const unsigned head = group + static_cast<unsigned>(j) * groups;
      if (head < heads.count) body(j, data + head * heads.head_stride);
    }
  };
  Pack<T, kPacked> first[kHeadsTogether], second[kHeadsTogether];
  each([&](int j, const T* from) {
    first[j] = *reinterpret_cast<const Pack<T, kPacked>*>(from);
    second[j] = *reinterpret_cast<const Pack<T, kPacked>*>(from + to_second);
  });
  float c[kPairsOfHead], s[kPairsOfHead];
  load(angles.cos + row * angles.half + i, c);
  load(angles.sin + row * angles.half + i, s);
  each([&](int j, T* to) {
    float a[kPacked], b[kPacked];
    load(first[j].value, a);
    load(second[j].value, b);
#pragma unroll
    for (int p = 0; p < kPairsOfHead; ++p) {
      if constexpr (kInterleaved) {
        float(&of)[kPacked] = p < kPacked / 2 ? a : b;
        turn(of[2 * p % kPacked], of[2 * p % kPacked + 1], c[p], s[p]);
      } else {
        turn(a[p], b[p], c[p], s[p]);
      }
    }
    store(a, to);
    store(b, to + to_second);
  });
}

constexpr int kManyPairs = 4;

// Whether `pairs` angles lie where one load finds them, and `unit` elements.
bool wide(const TensorView& x, const Angles& angles, int64_t pairs, int64_t unit) {
  const auto bytes = static_cast<uintptr_t>(unit) * size_of(x.dtype());
  const auto tables = reinterpret_cast<uintptr_t>(angles.cos) | reinterpret_cast<uintptr_t>(angles.sin);
  return angles.half % pairs == 0 && tables % (static_cast<uintptr_t>(pairs) * sizeof(float)) == 0 &&
         reinterpret_cast<uintptr_t>(x.raw()) % bytes == 0 && x.stride(0) % unit == 0 && x.stride(1) % unit == 0;
}

// False when there are few rows, or where they are not aligned.
bool rotary_many(CudaDevice& device, const TensorView& x, const Angles& angles, RotaryPairs pairs) {
  constexpr int64_t kManyRows = 512, kMaxThreads = int64_t{1} << 31;
  if (x.size(0) < kManyRows || x.dtype() == DType::kF32 || !wide(x, angles, kPairsOfHead, kPairsOfHead)) return false;
  const Heads heads{x.size(0), x.size(1), x.stride(0), x.stride(1)};
  const int64_t groups = (heads.count + kHeadsTogether - 1) / kHeadsTogether;
  const int64_t count = heads.rows * groups * (angles.half / kPairsOfHead);
  if (count > kMaxThreads) return false;
  const auto start = [&]<typename T>(T) {
    auto* kernel = pairs == RotaryPairs::kInterleaved ? rotary_many_kernel<T, true> : rotary_many_kernel<T, false>;
    launch(device, "rotary", kernel, {blocks_for(count), kThreads, 0, Start::kRecorded}, static_cast<T*>(x.raw()), heads, angles,
           static_cast<unsigned>(groups), static_cast<unsigned>(count));
  };
  if (x.dtype() == DType::kBF16) start(__nv_bfloat16{});
  else start(__half{});
  return true;
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
  if (rotary_many(device, x, angles, pairs)) return;
  with_type(x.dtype(), [&](auto type) {
    using T = decltype(type);
    if (wide(x, angles, kManyPairs, 2 * kManyPairs)) {
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
