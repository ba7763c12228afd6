// Rows of tables, and bytes as numbers.
#include "ops/cuda/elements.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/lookups.h"
#include "ops/cuda/ops.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int kPack = 4;
constexpr unsigned kPositionThreads = 128;

// One block a row.
template <typename T, int kWidth>
__global__ void embedding_kernel(const int32_t* ids, Matrix<const T> table, int64_t n, Matrix<float> out) {
  let_next_kernel_start();
  wait_for_kernel_before();
  const T* from = table.row(ids[blockIdx.x]);
  float* to = out.row(blockIdx.x);
  for (int64_t i = static_cast<int64_t>(threadIdx.x) * kWidth; i < n; i += blockDim.x * kWidth) {
    float v[kWidth];
    load(from + i, v);
    store(v, to + i);
  }
}

// Where an index of `count` falls on a table of `side` cells: the four cells and weights around it. In float,
// like torch; Keys' cubic convolution with a = -0.75 at distances 1 + t, t, 1 - t, 2 - t.
struct CubicTaps {
  int64_t cells[4];
  float weights[4];
};

__device__ float cubic_near(float d) {
  constexpr float a = -0.75f;
  return ((a + 2) * d - (a + 3)) * d * d + 1;
}
__device__ float cubic_far(float d) {
  constexpr float a = -0.75f;
  return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
}

__device__ CubicTaps cubic_taps(int32_t index, int64_t count, int64_t side) {
  const float normalised = (static_cast<float>(index) + 0.5f) / static_cast<float>(count) * 2 - 1;
  const float place = ((normalised + 1) * static_cast<float>(side) - 1) / 2;
  const float t = place - floorf(place);
  CubicTaps taps{{}, {cubic_far(t + 1), cubic_near(t), cubic_near(1 - t), cubic_far(2 - t)}};
  for (int i = 0; i < 4; ++i) {
    const auto cell = static_cast<int64_t>(floorf(place)) - 1 + i;
    taps.cells[i] = cell < 0 ? 0 : cell >= side ? side - 1 : cell;
  }
  return taps;
}

// One block a patch of the grid, on all pages: what the table says about it is worked out once.
template <int kWidth>
__global__ void position_table_kernel(const PatchPosition* positions, PatchGrid grid, const float* table,
                                      int64_t side, int64_t n, int64_t pages, Matrix<float> x) {
  constexpr int kTogether = 4;  // pages
  const PatchPosition position = positions[blockIdx.x];
  const CubicTaps rows = cubic_taps(position.row, grid.height, side);
  const CubicTaps columns = cubic_taps(position.column, grid.width, side);
  const int64_t patches = gridDim.x;
  for (int64_t k = static_cast<int64_t>(threadIdx.x) * kWidth; k < n; k += static_cast<int64_t>(blockDim.x) * kWidth) {
    float sum[kWidth] = {};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        float value[kWidth];
        load(table + (rows.cells[i] * side + columns.cells[j]) * n + k, value);
#pragma unroll
        for (int w = 0; w < kWidth; ++w) sum[w] += rows.weights[i] * columns.weights[j] * value[w];
      }
    }
    for (int64_t begin = 0; begin < pages; begin += kTogether) {
      float value[kTogether][kWidth];
      const auto each = [&](const auto& body) {
#pragma unroll
        for (int p = 0; p < kTogether; ++p) {
          if (begin + p < pages) body(x.row((begin + p) * patches + blockIdx.x) + k, value[p]);
        }
      };
      each([](const float* from, float (&to)[kWidth]) { load(from, to); });
      each([&](float* to, float (&values)[kWidth]) {
#pragma unroll
        for (int w = 0; w < kWidth; ++w) values[w] += sum[w];
        store(values, to);
      });
    }
  }
}

// kWidth bytes of rows of n, to `parts` places each.
template <typename Out, int kWidth>
__global__ void widen_bytes_kernel(const uint8_t* bytes, int64_t count, int64_t n, int64_t parts, Out* out) {
  const int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kWidth;
  if (i >= count) return;
  const auto pack = *reinterpret_cast<const Pack<uint8_t, kWidth>*>(bytes + i);
  float v[kWidth];
#pragma unroll
  for (int j = 0; j < kWidth; ++j) v[j] = static_cast<float>(pack.value[j]);
  for (int64_t part = 0; part < parts; ++part) store(v, out + (i / n * parts + part) * n + i % n);
}

}  // namespace

void look_up_rows(CudaDevice& device, const int32_t* ids, const ConstTensorView& table, const TensorView& out) {
  if (!device.ok() || out.size(0) == 0) return;
  const bool wide = packs(table, kPack) && packs(out, kPack);
  with_type(table.dtype(), [&](auto type) {
    using T = decltype(type);
    auto* kernel = wide ? embedding_kernel<T, kPack> : embedding_kernel<T, 1>;
    launch(device, "embedding", kernel, {static_cast<unsigned>(out.size(0)), kThreads, 0, Start::kRecorded}, ids,
           matrix_of<T>(table), table.size(1), matrix_of<float>(out));
  });
}

void embedding(CudaDevice& device, std::span<const int32_t> ids, const ConstTensorView& table,
               const TensorView& out) {
  const DeviceMemory there = device.allocate(ids.size_bytes());
  device.upload(there.get(), ids.data(), ids.size_bytes());
  look_up_rows(device, static_cast<const int32_t*>(there.get()), table, out);
}

void add_position_table(CudaDevice& device, const PatchPosition* positions, const PatchGrid& grid,
                        const ConstTensorView& table, const TensorView& x) {
  if (!device.ok() || x.size(0) == 0) return;
  int64_t side = 0;
  while (side * side < table.size(0)) ++side;
  const int64_t patches = grid.num_patches();
  auto* kernel = packs(table, kPack) && packs(x, kPack) ? position_table_kernel<kPack> : position_table_kernel<1>;
  kernel<<<static_cast<unsigned>(patches), kPositionThreads, 0, device.stream()>>>(
      positions, grid, table.data<float>(), side, x.size(1), x.size(0) / patches, matrix_of<float>(x));
  device.note_launch("add_position_table");
}

void add_position_table(CudaDevice& device, std::span<const PatchPosition> positions, const PatchGrid& grid,
                        const ConstTensorView& table, const TensorView& x) {
  const DeviceMemory there = device.allocate(positions.size_bytes());
  device.upload(there.get(), positions.data(), positions.size_bytes());
  add_position_table(device, static_cast<const PatchPosition*>(there.get()), grid, table, x);
}

void widen_device_bytes(CudaDevice& device, const uint8_t* bytes, int64_t parts, const TensorView& out) {
  const int64_t count = out.shape().num_elements() / parts;
  if (!device.ok() || count == 0) return;
  const int64_t n = out.size(out.rank() - 1) / parts;
  const bool wide = reinterpret_cast<uintptr_t>(bytes) % kPack == 0 && packs(out, kPack) && n % kPack == 0;
  const int64_t width = wide ? kPack : 1;
  const auto blocks = static_cast<unsigned>((count + kThreads * width - 1) / (kThreads * width));
  with_type(out.dtype(), [&](auto type) {
    using Out = decltype(type);
    auto* kernel = wide ? widen_bytes_kernel<Out, kPack> : widen_bytes_kernel<Out, 1>;
    kernel<<<blocks, kThreads, 0, device.stream()>>>(bytes, count, n, parts, static_cast<Out*>(out.raw()));
  });
  device.note_launch("widen_bytes");
}

void widen_bytes(CudaDevice& device, std::span<const uint8_t> bytes, const TensorView& out) {
  const DeviceMemory there = device.allocate(bytes.size());
  device.upload(there.get(), bytes.data(), bytes.size());
  widen_device_bytes(device, static_cast<const uint8_t*>(there.get()), 1, out);
}

}  // namespace glyph::ops::cuda
