// Norms and softmax: one block a row, which norms keep in registers.
#include <algorithm>
#include <type_traits>

#include "ops/cuda/elements.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/ops.h"
#include "ops/cuda/quantise.cuh"
#include "ops/cuda/reduce.cuh"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {
namespace {

// Where rows go; e4m3 rows have scales.
template <typename Out>
struct Result {
  Matrix<Out> rows;
  float* scales;
};
template <typename Out>
Result<Out> result_of(const TensorView& out) {
  return {matrix_of<Out>(out), static_cast<float*>(out.scales())};
}

// use(T{}) with the type of the elements of a result.
template <typename Use>
void with_result_type(DType type, const Use& use) {
  if (type == DType::kE4M3) {
    use(E4M3{});
  } else {
    with_type(type, use);
  }
}

constexpr unsigned kFetchingBlocks = 32;

// How a row is cut: packs a load, loads a thread, threads a block. Rows that are not aligned, of which a thread has many loads, are rare.
constexpr int kWide = 4, kFew = 4, kMany = 64;
constexpr int64_t kMaxThreads = 1024, kMaxThreadsOfMany = 256;

// This thread's part of a row of n elements, in registers: kItems packs of kPack, blockDim.x packs apart.
template <int kPack, int kItems>
struct RowPart {
  float value[kItems][kPack];

  // body(item, first index of its pack) for the packs inside the row.
  template <typename Body>
  __device__ static void each(int64_t n, const Body& body) {
#pragma unroll
    for (int item = 0; item < kItems; ++item) {
      const int64_t i = (static_cast<int64_t>(item) * blockDim.x + threadIdx.x) * kPack;
      if (i < n) body(item, i);
    }
  }
  template <typename T>
  __device__ RowPart(const T* row, int64_t n) {
    each(n, [&](int item, int64_t i) { load(row + i, value[item]); });
  }
  // `partial` as reduce_block() wants it.
  template <typename Term>
  __device__ float sum(int64_t n, float* partial, const Term& term) const {
    float total = 0;
    each(n, [&](int item, int64_t) {
#pragma unroll
      for (int j = 0; j < kPack; ++j) total += term(value[item][j]);
    });
    return sum_block(total, partial);
  }
  __device__ float mean_square(int64_t n, float* partial) const {
    return sum(n, partial, [](float v) { return v * v; }) / static_cast<float>(n);
  }
  template <typename RowWeights>
  __device__ void multiply(float scale, const RowWeights& weights, int64_t n) {
    each(n, [&](int item, int64_t i) {
      float w[kPack];
      weights.load_pack(item, i, w);
#pragma unroll
      for (int j = 0; j < kPack; ++j) value[item][j] *= w[j] * scale;
    });
  }
  // As the block's row of the result.
  template <typename Out>
  __device__ void write(int64_t n, const Result<Out>& result, float* partial) {
    if constexpr (std::is_same_v<Out, E4M3>) {
      float largest = 0;
      each(n, [&](int item, int64_t) { largest = fmaxf(largest, largest_magnitude(value[item])); });
      const float factor = begin_e4m3_row(max_magnitude_block(largest, partial), result.scales + blockIdx.x);
      each(n, [&](int item, int64_t) {
#pragma unroll
        for (int j = 0; j < kPack; ++j) value[item][j] *= factor;
      });
    }
    each(n, [&](int item, int64_t i) { store(value[item], result.rows.row(blockIdx.x) + i); });
  }
};

// The weights of this thread's part, which are far away and asked for before a wait: kept in registers, or brought as far as the cache. Of
// many blocks, others have done so.
template <int kPack, int kItems, bool kKept>
struct RowWeights {
  using Part = RowPart<kPack, kItems>;
  const float* row;
  float kept[kKept ? kItems : 1][kPack];

  __device__ RowWeights(const float* weights, int64_t n) : row(weights) {
    Part::each(n, [&](int item, int64_t i) {
      if constexpr (kKept) load(row + i, kept[item]);
      else if (gridDim.x <= kFetchingBlocks && i % (kLineBytes / static_cast<int64_t>(sizeof(float))) == 0) fetch_line(row + i);
    });
  }
  __device__ void load_pack(int item, int64_t i, float (&to)[kPack]) const {
    if constexpr (kKept) {
#pragma unroll
      for (int j = 0; j < kPack; ++j) to[j] = kept[item][j];
    } else {
      load(row + i, to);
    }
  }
};

// Registers for all that a thread keeps; else 64 of them, so that a multiprocessor has four rows of 4096 under way.
template <int kItems, bool kKept>
constexpr int kMostThreads = kItems == kFew && !kKept ? kMaxThreads : kMaxThreadsOfMany;

template <int kPack, int kItems, bool kKept, typename Out>
__global__ void __launch_bounds__(kMostThreads<kItems, kKept>) rms_norm_kernel(Matrix<const float> x, const float* weight, int64_t n, float eps,
                                Result<Out> out) {
  using Part = RowPart<kPack, kItems>;
  __shared__ float partial[2][kWarp];
  let_next_kernel_start();
  const RowWeights<kPack, kItems, kKept> weights(weight, n);
  wait_for_kernel_before();
  Part part(x.row(blockIdx.x), n);
  part.multiply(rsqrtf(part.mean_square(n, partial[0]) + eps), weights, n);
  part.write(n, out, partial[1]);
}

struct AddNorm {
  const float* branch_weight;
  const float* next_weight;
  int64_t n;
  float eps;
};

template <int kPack, int kItems, bool kKept, typename Branch, typename Out>
__global__ void __launch_bounds__(kMostThreads<kItems, kKept>)
    add_norm_kernel(Matrix<float> x, Matrix<const Branch> branch, AddNorm norm, Result<Out> out) {
  using Part = RowPart<kPack, kItems>;
  __shared__ float partial[3][kWarp];
  let_next_kernel_start();
  const RowWeights<kPack, kItems, kKept> branch_weights(norm.branch_weight, norm.n), next_weights(norm.next_weight, norm.n);
  wait_for_kernel_before();
  float* row = x.row(blockIdx.x);
  const Part added(branch.row(blockIdx.x), norm.n);
  Part part(row, norm.n);
  const float scale = rsqrtf(added.mean_square(norm.n, partial[0]) + norm.eps);
  Part::each(norm.n, [&](int item, int64_t i) {
    float w[kPack];
    branch_weights.load_pack(item, i, w);
#pragma unroll
    for (int j = 0; j < kPack; ++j) part.value[item][j] += added.value[item][j] * scale * w[j];
  });
  // Apart from that, for a store keeps the loads behind it waiting.
  Part::each(norm.n, [&](int item, int64_t i) { store(part.value[item], row + i); });
  part.multiply(rsqrtf(part.mean_square(norm.n, partial[1]) + norm.eps), next_weights, norm.n);
  part.write(norm.n, out, partial[2]);
}

__device__ float gelu(float x) { return x * 0.5f * (1.0f + erff(x * 0.70710678118654752f)); }

struct LayerNorm {
  const float* weight;
  const float* bias;
  int64_t n;
  float eps;
};

template <int kPack, int kItems, typename Out>
__global__ void layer_norm_gelu_kernel(Matrix<const float> x, LayerNorm norm, Result<Out> out) {
  using Part = RowPart<kPack, kItems>;
  __shared__ float partial[3][kWarp];
  Part part(x.row(blockIdx.x), norm.n);
  const auto count = static_cast<float>(norm.n);
  const float mean = part.sum(norm.n, partial[0], [](float v) { return v; }) / count;
  const float variance = part.sum(norm.n, partial[1], [=](float v) { return (v - mean) * (v - mean); }) / count;
  const float scale = rsqrtf(variance + norm.eps);
  Part::each(norm.n, [&](int item, int64_t i) {
    float w[kPack], b[kPack];
    load(norm.weight + i, w);
    load(norm.bias + i, b);
#pragma unroll
    for (int j = 0; j < kPack; ++j) part.value[item][j] = gelu((part.value[item][j] - mean) * scale * w[j] + b[j]);
  });
  part.write(norm.n, out, partial[2]);
}

__global__ void softmax_kernel(Matrix<float> x, int64_t n) {
  float* row = x.row(blockIdx.x);
  float largest = -INFINITY;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) largest = fmaxf(largest, row[i]);
  largest = max_block(largest);
  float total = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
    const float weight = largest == -INFINITY ? 0.0f : expf(row[i] - largest);
    row[i] = weight;
    total += weight;
  }
  total = sum_block(total);
  const float factor = total == 0 ? 0.0f : 1.0f / total;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) row[i] *= factor;
}

int64_t whole_warps(int64_t threads) { return (threads + kWarp - 1) / kWarp * kWarp; }

// start(kernel, threads) with the kernel that `pick` gives for the pack and item counts that fit a row of n, and whether weights are kept.
template <typename Pick, typename Launch>
void launch_rows(int64_t rows, int64_t n, bool wide, const Pick& pick, const Launch& start) {
  using std::integral_constant;
  const auto threads_for = [n](int pack, int items) {
    return static_cast<unsigned>(whole_warps((n + pack * items - 1) / (pack * items)));
  };
  using Wide = integral_constant<int, kWide>;
  using Few = integral_constant<int, kFew>;
  if (wide && rows <= kFetchingBlocks && n <= kWide * kFew * kMaxThreadsOfMany) {
    start(pick(Wide(), Few(), std::true_type()), threads_for(kWide, kFew));
  } else if (wide && n <= kWide * kFew * kMaxThreads) {
    start(pick(Wide(), Few(), std::false_type()), threads_for(kWide, kFew));
  } else {
    GLYPH_CHECK(n <= kMany * kMaxThreadsOfMany);
    start(pick(integral_constant<int, 1>(), integral_constant<int, kMany>(), std::false_type()), std::max(128u, threads_for(1, kMany)));
  }
}

}  // namespace

void rms_norm(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& weight, float eps,
              const TensorView& out) {
  if (!device.ok() || x.size(0) == 0) return;
  const int64_t n = x.size(1);
  const bool wide = packs(x, kWide) && packs(weight, kWide) && packs(out, kWide);
  with_result_type(out.dtype(), [&](auto type) {
    using Out = decltype(type);
    launch_rows(
        x.size(0), n, wide, [](auto pack, auto items, auto kept) { return rms_norm_kernel<pack(), items(), kept(), Out>; },
        [&](auto* kernel, unsigned threads) {
          launch(device, "rms_norm", kernel, {static_cast<unsigned>(x.size(0)), threads, 0, Start::kRecorded},
                 matrix_of<float>(x), weight.data<float>(), n, eps, result_of<Out>(out));
        });
  });
}

namespace {

template <typename Branch>
void add_norm_of(CudaDevice& device, const TensorView& x, const ConstTensorView& branch,
                 const AddNormWeights& weights, const TensorView& out) {
  const int64_t n = x.size(1);
  const bool wide = packs(x, kWide) && packs(branch, kWide) && packs(weights.branch, kWide) &&
                    packs(weights.next, kWide) && packs(out, kWide);
  const AddNorm norm{weights.branch.data<float>(), weights.next.data<float>(), n, weights.eps};
  with_result_type(out.dtype(), [&](auto type) {
    using Out = decltype(type);
    launch_rows(
        x.size(0), n, wide, [](auto pack, auto items, auto kept) { return add_norm_kernel<pack(), items(), kept(), Branch, Out>; },
        [&](auto* kernel, unsigned threads) {
          launch(device, "add_norm", kernel, {static_cast<unsigned>(x.size(0)), threads, 0, Start::kRecorded},
                 matrix_of<float>(x), matrix_of<Branch>(branch), norm, result_of<Out>(out));
        });
  });
}

}  // namespace

void add_norm(CudaDevice& device, const TensorView& x, const ConstTensorView& branch,
              const AddNormWeights& weights, const TensorView& out) {
  if (!device.ok() || x.size(0) == 0) return;
  if (branch.dtype() == DType::kBF16) add_norm_of<__nv_bfloat16>(device, x, branch, weights, out);
  else add_norm_of<float>(device, x, branch, weights, out);
}

void layer_norm_gelu(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& weight,
                     const ConstTensorView& bias, float eps, const TensorView& out) {
  if (!device.ok() || x.size(0) == 0) return;
  const int64_t n = x.size(1);
  const bool wide = packs(x, kWide) && packs(weight, kWide) && packs(bias, kWide) && packs(out, kWide);
  const LayerNorm norm{weight.data<float>(), bias.data<float>(), n, eps};
  with_result_type(out.dtype(), [&](auto type) {
    using Out = decltype(type);
    launch_rows(
        x.size(0), n, wide, [](auto pack, auto items, auto) { return layer_norm_gelu_kernel<pack(), items(), Out>; },
        [&](auto* kernel, unsigned threads) {
          kernel<<<static_cast<unsigned>(x.size(0)), threads, 0, device.stream()>>>(matrix_of<float>(x), norm,
                                                                                     result_of<Out>(out));
        });
  });
  device.note_launch("layer_norm_gelu");
}

void softmax(CudaDevice& device, const TensorView& x) {
  if (!device.ok() || x.size(0) == 0) return;
  const auto threads = static_cast<unsigned>(std::min(kMaxThreads, whole_warps(x.size(1))));
  softmax_kernel<<<static_cast<unsigned>(x.size(0)), threads, 0, device.stream()>>>(matrix_of<float>(x),
                                                                                     x.size(1));
  device.note_launch("softmax");
}

}  // namespace glyph::ops::cuda
