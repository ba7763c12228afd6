// Weights on their way to the GPU, and weights that no file holds.
#include <algorithm>

#include "ops/cuda/elements.cuh"
#include "ops/cuda/ops.h"
#include "ops/cuda/products.h"

namespace glyph::ops::cuda {
namespace {

constexpr unsigned kThreads = 256;

unsigned blocks_for(const CudaDevice& device, int64_t count) {
  return static_cast<unsigned>(
      std::min<int64_t>((count + kThreads - 1) / kThreads, int64_t{32} * device.num_multiprocessors()));
}

template <typename T, typename Out>
__global__ void convert_kernel(const T* from, int64_t count, Out* to) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    put(to + i, to_f32(from[i]));
  }
}

__device__ uint64_t splitmix64(uint64_t x) {
  uint64_t z = x + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

template <typename Out>
__global__ void random_kernel(RandomValues values, int64_t count, Out* to) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride) {
    const auto element = static_cast<uint64_t>(i);
    const uint64_t index = values.columns == 0 ? element : element / values.columns * values.stride + element % values.columns;
    const uint64_t bits = splitmix64(values.start + index) >> 40;
    const float u = static_cast<float>(bits) * 0x1p-23f - 1.0f;
    put(to + i, __fadd_rn(values.offset, __fmul_rn(values.scale, u)));  // the same bits as on the host
  }
}

}  // namespace

void convert(CudaDevice& device, const ConstTensorView& from, const TensorView& to) {
  const int64_t count = from.shape().num_elements();
  GLYPH_CHECK(from.dense() && to.dense() && to.shape().num_elements() == count);
  if (!device.ok() || count == 0) return;
  with_type(from.dtype(), [&](auto type) {
    with_type(to.dtype(), [&](auto out_type) {
      using T = decltype(type);
      using Out = decltype(out_type);
      convert_kernel<T, Out><<<blocks_for(device, count), kThreads, 0, device.stream()>>>(
          static_cast<const T*>(from.raw()), count, static_cast<Out*>(to.raw()));
    });
  });
  device.note_launch("convert");
}

// Through memory of the stored type, a piece at a time, when the type changes.
void load(CudaDevice& device, const ConstTensorView& from, const TensorView& out) {
  const int64_t count = from.shape().num_elements();
  const auto element = static_cast<int64_t>(size_of(from.dtype()));
  if (from.dtype() == out.dtype()) {
    device.upload(out.raw(), from.raw(), static_cast<size_t>(count * element));
    return;
  }
  constexpr int64_t kPiece = int64_t{16} << 20;  // elements
  const DeviceMemory stored = device.allocate(static_cast<size_t>(std::min(kPiece, count) * element));
  for (int64_t begin = 0; begin < count && device.ok(); begin += kPiece) {
    const int64_t n = std::min(kPiece, count - begin);
    const auto* bytes = static_cast<const std::byte*>(from.raw()) + begin * element;
    auto* to = static_cast<std::byte*>(out.raw()) + begin * static_cast<int64_t>(size_of(out.dtype()));
    device.upload(stored.get(), bytes, static_cast<size_t>(n * element));
    convert(device, {stored.get(), from.dtype(), {n}}, {to, out.dtype(), {n}});
  }
}

void fill_random(CudaDevice& device, const RandomValues& values, const TensorView& out) {
  const int64_t count = out.shape().num_elements();
  if (!device.ok() || count == 0) return;
  with_type(out.dtype(), [&](auto type) {
    using Out = decltype(type);
    random_kernel<Out>
        <<<blocks_for(device, count), kThreads, 0, device.stream()>>>(values, count, static_cast<Out*>(out.raw()));
  });
  device.note_launch("fill_random");
}

}  // namespace glyph::ops::cuda
