// To and from quantised matrices, and the scales of products that were made without them.
#include <algorithm>

#include "ops/cuda/ops.h"
#include "ops/cuda/products.h"
#include "ops/cuda/quantise.cuh"

namespace glyph::ops::cuda {
namespace {

constexpr unsigned kThreads = 256;
constexpr int kPack = 8;
constexpr unsigned kWarpRowThreads = 128;

// One block a row.
template <typename T, int kWidth>
__global__ void quantise_rows_kernel(Matrix<const T> x, int64_t n, Matrix<E4M3> out, float* scales) {
  const T* row = x.row(blockIdx.x);
  float largest = 0;
  for (int64_t i = static_cast<int64_t>(threadIdx.x) * kWidth; i < n; i += static_cast<int64_t>(blockDim.x) * kWidth) {
    float v[kWidth];
    load(row + i, v);
    largest = fmaxf(largest, largest_magnitude(v));
  }
  const float factor = begin_e4m3_row(max_block(largest), scales + blockIdx.x);
  for (int64_t i = static_cast<int64_t>(threadIdx.x) * kWidth; i < n; i += static_cast<int64_t>(blockDim.x) * kWidth) {
    float v[kWidth];
    load(row + i, v);
#pragma unroll
    for (int j = 0; j < kWidth; ++j) v[j] *= factor;
    store(v, out.row(blockIdx.x) + i);
  }
}

// One warp a row, which it reads once: kItems packs a lane.
template <typename T, int kItems>
__global__ void __launch_bounds__(kWarpRowThreads)
    quantise_rows_by_warp_kernel(Matrix<const T> x, int64_t rows, int n, Matrix<E4M3> out, float* scales) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t row = static_cast<int64_t>(blockIdx.x) * (kWarpRowThreads / kWarp) + threadIdx.x / kWarp;
  if (row >= rows) return;
  const T* const from = x.row(row) + lane * kPack;
  E4M3* const to = out.row(row) + lane * kPack;
  const auto each = [&](const auto& body) {
#pragma unroll
    for (int item = 0; item < kItems; ++item) {
      if ((item * kWarp + lane) * kPack < n) body(item, item * kWarp * kPack);
    }
  };
  Pack<T, kPack> packs[kItems];
  each([&](int item, int offset) { packs[item] = *reinterpret_cast<const Pack<T, kPack>*>(from + offset); });
  float largest = 0, v[kPack];
  each([&](int item, int) {
    load(packs[item].value, v);
    largest = fmaxf(largest, largest_magnitude(v));
  });
  const float factor = begin_e4m3_row(max_magnitude_warp(largest), scales + row, lane == 0);
  each([&](int item, int offset) {
    load(packs[item].value, v);
#pragma unroll
    for (int j = 0; j < kPack; ++j) v[j] *= factor;
    store(v, to + offset);
  });
}

// One warp a group, two elements a lane. Division, and rounding to even, give the bits of the reference.
template <typename T, bool kBytes>
__global__ void quantise_groups_kernel(Matrix<const T> x, int64_t groups_of_row, int64_t num_groups, uint8_t* out,
                                       __nv_bfloat16* scales) {
  const int64_t group = static_cast<int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp;
  if (group >= num_groups) return;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const T* from = x.row(group / groups_of_row) + group % groups_of_row * kQuantGroup + 2 * lane;
  const float a = to_f32(from[0]), b = to_f32(from[1]);
  const auto larger = [](float p, float q) { return fmaxf(p, q); };
  const float high = reduce_warp(fmaxf(0.0f, fmaxf(a, b)), larger), low = reduce_warp(fmaxf(0.0f, fmaxf(-a, -b)), larger);
  const float extreme = high >= low ? high : -low;
  const __nv_bfloat16 stored = __float2bfloat16_rn(kBytes ? fabsf(extreme) / 127.0f : extreme / -8.0f);
  const float scale = __bfloat162float(stored);
  if (lane == 0) scales[group] = stored;
  const auto integer = [scale](float value, float least, float most) {
    return scale == 0 ? 0 : static_cast<int>(fminf(fmaxf(rintf(__fdiv_rn(value, scale)), least), most));
  };
  if constexpr (kBytes) {
    uint8_t* to = out + group * kQuantGroup + 2 * lane;
    to[0] = static_cast<uint8_t>(integer(a, -127, 127));
    to[1] = static_cast<uint8_t>(integer(b, -127, 127));
  } else {
    out[(group * kQuantGroup + 2 * lane) / 2] =
        static_cast<uint8_t>((integer(a, -8, 7) + 8) | (integer(b, -8, 7) + 8) << 4);
  }
}

// kPack neighbouring elements of a quantised row as float.
__device__ void widen(const uint8_t* from, DType type, float (&to)[kPack]) {
  if (type == DType::kI4) {
    const uint32_t word = *reinterpret_cast<const uint32_t*>(from);
#pragma unroll
    for (int j = 0; j < kPack; ++j) to[j] = static_cast<float>(static_cast<int>(word >> 4 * j & 0xF) - 8);
    return;
  }
  const auto bytes = *reinterpret_cast<const Pack<uint8_t, kPack>*>(from);
#pragma unroll
  for (int j = 0; j < kPack; ++j) {
    to[j] = type == DType::kI8
                ? static_cast<float>(static_cast<int8_t>(bytes.value[j]))
                : __half2float(__half(__nv_cvt_fp8_to_halfraw(bytes.value[j], __NV_E4M3)));
  }
}

// One block a row.
template <typename Out>
__global__ void dequantise_kernel(const uint8_t* data, const void* scales, DType type, int64_t n, int64_t row_bytes,
                                  Out* out) {
  const int64_t row = blockIdx.x, groups = n / kQuantGroup;
  for (int64_t i = static_cast<int64_t>(threadIdx.x) * kPack; i < n; i += static_cast<int64_t>(blockDim.x) * kPack) {
    float v[kPack];
    widen(data + row * row_bytes + (type == DType::kI4 ? i / 2 : i), type, v);
    const float scale = type == DType::kE4M3
                            ? static_cast<const float*>(scales)[row]
                            : __bfloat162float(static_cast<const __nv_bfloat16*>(scales)[row * groups + i / kQuantGroup]);
#pragma unroll
    for (int j = 0; j < kPack; ++j) v[j] *= scale;
    store(v, out + row * n + i);
  }
}

template <typename From, typename Out>
__global__ void scale_kernel(const From* products, const float* row_scales, const float* column_scales,
                             const float* bias, int64_t n, Matrix<Out> out, bool accumulate) {
  const int64_t row = blockIdx.x;
  const float row_scale = row_scales[row];
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
    Out* to = out.row(row) + i;
    const float value = to_f32(products[row * n + i]) * row_scale * column_scales[i] + (bias == nullptr ? 0.0f : bias[i]);
    put(to, accumulate ? to_f32(*to) + value : value);
  }
}

template <typename T>
__global__ void narrow_kernel(Matrix<const T> x, int64_t n, __nv_bfloat16* out) {
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) put(out + blockIdx.x * n + i, to_f32(x.row(blockIdx.x)[i]));
}

// Of many rows, each is a warp's. False when there are too few to keep the GPU busy so, or when they are too long or not aligned.
bool quantise_rows_by_warp(CudaDevice& device, const ConstTensorView& x, const TensorView& out) {
  constexpr int kFew = 8, kMany = 16;
  constexpr int64_t kOfItem = kWarp * kPack, kWarpsToFill = 8;
  const int64_t rows = x.size(0), n = x.size(1), rows_of_block = kWarpRowThreads / kWarp;
  if (rows < kWarpsToFill * device.num_multiprocessors() || n > kMany * kOfItem) return false;
  if (x.dtype() == DType::kF32 || !packs(x, kPack) || !packs(out, kPack)) return false;
  const auto blocks = static_cast<unsigned>((rows + rows_of_block - 1) / rows_of_block);
  const auto start = [&]<typename T>(T) {
    auto* kernel = n <= kFew * kOfItem ? quantise_rows_by_warp_kernel<T, kFew> : quantise_rows_by_warp_kernel<T, kMany>;
    kernel<<<blocks, kWarpRowThreads, 0, device.stream()>>>(matrix_of<T>(x), rows, static_cast<int>(n), matrix_of<E4M3>(out),
                                                            static_cast<float*>(out.scales()));
  };
  if (x.dtype() == DType::kBF16) start(__nv_bfloat16{});
  else start(__half{});
  return true;
}

void quantise_rows(CudaDevice& device, const ConstTensorView& x, const TensorView& out) {
  if (quantise_rows_by_warp(device, x, out)) return;
  const bool wide = packs(x, kPack) && packs(out, kPack);
  const auto blocks = static_cast<unsigned>(x.size(0));
  with_type(x.dtype(), [&](auto type) {
    using T = decltype(type);
    auto* kernel = wide ? quantise_rows_kernel<T, kPack> : quantise_rows_kernel<T, 1>;
    kernel<<<blocks, kThreads, 0, device.stream()>>>(matrix_of<T>(x), x.size(1), matrix_of<E4M3>(out),
                                                     static_cast<float*>(out.scales()));
  });
}

void quantise_groups(CudaDevice& device, const ConstTensorView& x, const TensorView& out) {
  const int64_t of_row = x.size(1) / kQuantGroup, groups = of_row * x.size(0), of_block = kThreads / kWarp;
  const auto blocks = static_cast<unsigned>((groups + of_block - 1) / of_block);
  with_type(x.dtype(), [&](auto type) {
    using T = decltype(type);
    auto* kernel = out.dtype() == DType::kI8 ? quantise_groups_kernel<T, true> : quantise_groups_kernel<T, false>;
    kernel<<<blocks, kThreads, 0, device.stream()>>>(matrix_of<T>(x), of_row, groups, static_cast<uint8_t*>(out.raw()),
                                                     static_cast<__nv_bfloat16*>(out.scales()));
  });
}

}  // namespace

void quantise(CudaDevice& device, const ConstTensorView& x, const TensorView& out) {
  if (!device.ok() || x.size(0) == 0 || x.size(1) == 0) return;
  if (out.dtype() == DType::kE4M3) {
    quantise_rows(device, x, out);
  } else {
    quantise_groups(device, x, out);
  }
  device.note_launch("quantise");
}

void dequantise(CudaDevice& device, const ConstTensorView& from, const TensorView& to) {
  GLYPH_CHECK(to.dense() && to.shape() == from.shape() && packs(from, kPack) && packs(to, kPack));
  if (!device.ok() || from.size(0) == 0) return;
  with_type(to.dtype(), [&](auto type) {
    using Out = decltype(type);
    dequantise_kernel<Out><<<static_cast<unsigned>(from.size(0)), kThreads, 0, device.stream()>>>(
        static_cast<const uint8_t*>(from.raw()), from.scales(), from.dtype(), from.size(1),
        bytes_of(from.dtype(), from.stride(0)), static_cast<Out*>(to.raw()));
  });
  device.note_launch("dequantise");
}

void scale_products(CudaDevice& device, const ConstTensorView& products, const Product& p) {
  if (!device.ok() || p.rows() == 0) return;
  with_type(products.dtype(), [&](auto from) {
    with_type(p.out.dtype(), [&](auto out) {
      using From = decltype(from);
      using Out = decltype(out);
      scale_kernel<From, Out><<<static_cast<unsigned>(p.rows()), kThreads, 0, device.stream()>>>(
          static_cast<const From*>(products.raw()), static_cast<const float*>(p.x.scales()),
          static_cast<const float*>(p.weight.scales()), p.bias.empty() ? nullptr : p.bias.data<float>(), p.outputs(),
          matrix_of<Out>(p.out), p.accumulate);
    });
  });
  device.note_launch("scale_products");
}

void narrow(CudaDevice& device, const ConstTensorView& x, const TensorView& to) {
  GLYPH_CHECK(to.dense() && to.shape() == x.shape());
  if (!device.ok() || x.size(0) == 0) return;
  with_type(x.dtype(), [&](auto type) {
    using T = decltype(type);
    narrow_kernel<T><<<static_cast<unsigned>(x.size(0)), kThreads, 0, device.stream()>>>(
        matrix_of<T>(x), x.size(1), static_cast<__nv_bfloat16*>(to.raw()));
  });
  device.note_launch("narrow");
}

}  // namespace glyph::ops::cuda
