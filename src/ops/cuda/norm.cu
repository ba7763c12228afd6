// Norms and softmax: one block a row.
#include <algorithm>

#include "ops/cuda/elements.cuh"
#include "ops/cuda/ops.h"
#include "ops/cuda/reduce.cuh"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {
namespace {

// Visits this thread's packs of a row of n elements: body(first index of the pack).
template <int kPack, typename Body>
__device__ void for_packs(int64_t n, const Body& body) {
  for (int64_t i = static_cast<int64_t>(threadIdx.x) * kPack; i < n; i += blockDim.x * kPack) body(i);
}

template <int kPack>
__device__ float mean_square(const float* row, int64_t n) {
  float sum = 0;
  for_packs<kPack>(n, [&](int64_t i) {
    float v[kPack];
    load(row + i, v);
#pragma unroll
    for (int j = 0; j < kPack; ++j) sum += v[j] * v[j];
  });
  return sum_block(sum) / static_cast<float>(n);
}

template <int kPack, typename Out>
__device__ void write_normed(const float* x, const float* weight, float scale, int64_t n, Out* out) {
  for_packs<kPack>(n, [&](int64_t i) {
    float v[kPack], w[kPack];
    load(x + i, v);
    load(weight + i, w);
#pragma unroll
    for (int j = 0; j < kPack; ++j) v[j] = v[j] * scale * w[j];
    store(v, out + i);
  });
}

template <int kPack, typename Out>
__global__ void rms_norm_kernel(Matrix<const float> x, const float* weight, int64_t n, float eps,
                                Matrix<Out> out) {
  const float* row = x.row(blockIdx.x);
  const float scale = rsqrtf(mean_square<kPack>(row, n) + eps);
  write_normed<kPack>(row, weight, scale, n, out.row(blockIdx.x));
}

struct AddNorm {
  const float* branch_weight;
  const float* next_weight;
  int64_t n;
  float eps;
};

template <int kPack, typename Out>
__global__ void add_norm_kernel(Matrix<float> x, Matrix<const float> branch, AddNorm norm, Matrix<Out> out) {
  float* row = x.row(blockIdx.x);
  const float* added = branch.row(blockIdx.x);
  const float branch_scale = rsqrtf(mean_square<kPack>(added, norm.n) + norm.eps);
  float squares = 0;
  for_packs<kPack>(norm.n, [&](int64_t i) {
    float v[kPack], b[kPack], w[kPack];
    load(row + i, v);
    load(added + i, b);
    load(norm.branch_weight + i, w);
#pragma unroll
    for (int j = 0; j < kPack; ++j) {
      v[j] += b[j] * branch_scale * w[j];
      squares += v[j] * v[j];
    }
    store(v, row + i);
  });
  const float scale = rsqrtf(sum_block(squares) / static_cast<float>(norm.n) + norm.eps);
  // Each thread reads back what it wrote itself.
  write_normed<kPack>(row, norm.next_weight, scale, norm.n, out.row(blockIdx.x));
}

__device__ float gelu(float x) { return x * 0.5f * (1.0f + erff(x * 0.70710678118654752f)); }

template <int kPack, typename Out>
__global__ void layer_norm_gelu_kernel(Matrix<const float> x, const float* weight, const float* bias, int64_t n,
                                       float eps, Matrix<Out> out) {
  const float* row = x.row(blockIdx.x);
  float sum = 0;
  for_packs<kPack>(n, [&](int64_t i) {
    float v[kPack];
    load(row + i, v);
#pragma unroll
    for (int j = 0; j < kPack; ++j) sum += v[j];
  });
  const float mean = sum_block(sum) / static_cast<float>(n);
  float squares = 0;
  for_packs<kPack>(n, [&](int64_t i) {
    float v[kPack];
    load(row + i, v);
#pragma unroll
    for (int j = 0; j < kPack; ++j) squares += (v[j] - mean) * (v[j] - mean);
  });
  const float scale = rsqrtf(sum_block(squares) / static_cast<float>(n) + eps);
  for_packs<kPack>(n, [&](int64_t i) {
    float v[kPack], w[kPack], b[kPack];
    load(row + i, v);
    load(weight + i, w);
    load(bias + i, b);
#pragma unroll
    for (int j = 0; j < kPack; ++j) v[j] = gelu((v[j] - mean) * scale * w[j] + b[j]);
    store(v, out.row(blockIdx.x) + i);
  });
}

__global__ void softmax_kernel(Matrix<float> x, int64_t n) {
  float* row = x.row(blockIdx.x);
  float largest = -INFINITY;
  for_packs<1>(n, [&](int64_t i) { largest = fmaxf(largest, row[i]); });
  largest = max_block(largest);
  float total = 0;
  for_packs<1>(n, [&](int64_t i) {
    const float weight = largest == -INFINITY ? 0.0f : expf(row[i] - largest);
    row[i] = weight;
    total += weight;
  });
  total = sum_block(total);
  const float factor = total == 0 ? 0.0f : 1.0f / total;
  for_packs<1>(n, [&](int64_t i) { row[i] *= factor; });
}

// Few rows: as many threads as a row has packs, because nothing else runs beside them.
unsigned threads_for(const CudaDevice& device, int64_t rows, int64_t packs_in_row) {
  const int64_t limit = rows < 2 * device.num_multiprocessors() ? 1024 : 256;
  return static_cast<unsigned>(std::clamp<int64_t>((packs_in_row + kWarp - 1) / kWarp * kWarp, kWarp, limit));
}

constexpr int kWide = 4;  // floats of one load

}  // namespace

void rms_norm(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& weight, float eps,
              const TensorView& out) {
  if (!device.ok() || x.size(0) == 0) return;
  const int64_t n = x.size(1);
  const bool wide = packs(x, kWide) && packs(weight, kWide) && packs(out, kWide);
  const unsigned threads = threads_for(device, x.size(0), wide ? n / kWide : n);
  with_output_type(out.dtype(), [&](auto type) {
    using Out = decltype(type);
    auto* kernel = wide ? rms_norm_kernel<kWide, Out> : rms_norm_kernel<1, Out>;
    kernel<<<static_cast<unsigned>(x.size(0)), threads, 0, device.stream()>>>(
        matrix_of<float>(x), weight.data<float>(), n, eps, matrix_of<Out>(out));
  });
  device.note_launch("rms_norm");
}

void add_norm(CudaDevice& device, const TensorView& x, const ConstTensorView& branch,
              const AddNormWeights& weights, const TensorView& out) {
  if (!device.ok() || x.size(0) == 0) return;
  const int64_t n = x.size(1);
  const bool wide = packs(x, kWide) && packs(branch, kWide) && packs(weights.branch, kWide) &&
                    packs(weights.next, kWide) && packs(out, kWide);
  const unsigned threads = threads_for(device, x.size(0), wide ? n / kWide : n);
  const AddNorm norm{weights.branch.data<float>(), weights.next.data<float>(), n, weights.eps};
  with_output_type(out.dtype(), [&](auto type) {
    using Out = decltype(type);
    auto* kernel = wide ? add_norm_kernel<kWide, Out> : add_norm_kernel<1, Out>;
    kernel<<<static_cast<unsigned>(x.size(0)), threads, 0, device.stream()>>>(
        matrix_of<float>(x), matrix_of<float>(branch), norm, matrix_of<Out>(out));
  });
  device.note_launch("add_norm");
}

void layer_norm_gelu(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& weight,
                     const ConstTensorView& bias, float eps, const TensorView& out) {
  if (!device.ok() || x.size(0) == 0) return;
  const int64_t n = x.size(1);
  const bool wide = packs(x, kWide) && packs(weight, kWide) && packs(bias, kWide) && packs(out, kWide);
  const unsigned threads = threads_for(device, x.size(0), wide ? n / kWide : n);
  with_output_type(out.dtype(), [&](auto type) {
    using Out = decltype(type);
    auto* kernel = wide ? layer_norm_gelu_kernel<kWide, Out> : layer_norm_gelu_kernel<1, Out>;
    kernel<<<static_cast<unsigned>(x.size(0)), threads, 0, device.stream()>>>(
        matrix_of<float>(x), weight.data<float>(), bias.data<float>(), n, eps, matrix_of<Out>(out));
  });
  device.note_launch("layer_norm_gelu");
}

void softmax(CudaDevice& device, const TensorView& x) {
  if (!device.ok() || x.size(0) == 0) return;
  const unsigned threads = threads_for(device, x.size(0), x.size(1));
  softmax_kernel<<<static_cast<unsigned>(x.size(0)), threads, 0, device.stream()>>>(matrix_of<float>(x),
                                                                                     x.size(1));
  device.note_launch("softmax");
}

}  // namespace glyph::ops::cuda
