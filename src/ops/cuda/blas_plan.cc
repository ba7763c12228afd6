#include "ops/cuda/blas_plan.h"

#include <algorithm>

namespace glyph::ops::cuda {
namespace {

cudaDataType_t cuda_type(DType type) {
  switch (type) {
    case DType::kF16:
      return CUDA_R_16F;
    case DType::kBF16:
      return CUDA_R_16BF;
    case DType::kE4M3:
      return CUDA_R_8F_E4M3;
    default:
      return CUDA_R_32F;
  }
}

uint32_t alignment_of(const void* data, int64_t stride, DType type) {
  const auto bits = reinterpret_cast<uintptr_t>(data) | static_cast<uintptr_t>(stride) * size_of(type) | 256u;
  return static_cast<uint32_t>(bits & -bits);
}

// A matrix of one row has no stride of its own.
int64_t stride_of(const ConstTensorView& view) {
  return view.size(0) == 1 ? std::max(view.size(1), int64_t{1}) : view.stride(0);
}

struct PreferenceDeleter {
  void operator()(cublasLtMatmulPreference_t preference) const {
    cublasLtMatmulPreferenceDestroy(preference);
  }
};
using Preference = std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, PreferenceDeleter>;

Preference make_preference(CudaDevice& device, const BlasShape& shape) {
  cublasLtMatmulPreference_t created = nullptr;
  device.note(cublasLtMatmulPreferenceCreate(&created), "cublasLtMatmulPreferenceCreate");
  Preference preference(created);
  if (!device.ok()) return preference;
  const auto put = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    device.note(cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof(value)),
                "cublasLtMatmulPreferenceSetAttribute");
  };
  put(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(device.blas_workspace_bytes()));
  put(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, shape.weight_alignment);
  put(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, shape.x_alignment);
  put(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, shape.out_alignment);
  put(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, shape.out_alignment);
  return preference;
}

}  // namespace

BlasShape shape_of(const Product& p) {
  const int64_t weight_stride = stride_of(p.weight), x_stride = stride_of(p.x), out_stride = stride_of(p.out);
  return {.outputs = p.outputs(),
          .rows = p.rows(),
          .depth = p.depth(),
          .weight_stride = weight_stride,
          .x_stride = x_stride,
          .out_stride = out_stride,
          .type = p.x.dtype(),
          .out_type = p.out.dtype(),
          .bias = !p.bias.empty(),
          .accumulate = p.accumulate,
          .scaled = p.x.dtype() == DType::kE4M3,
          .weight_alignment = alignment_of(p.weight.raw(), weight_stride, p.weight.dtype()),
          .x_alignment = alignment_of(p.x.raw(), x_stride, p.x.dtype()),
          .out_alignment = alignment_of(p.out.raw(), out_stride, p.out.dtype())};
}

BlasPlan::BlasPlan(CudaDevice& device, const BlasShape& shape)
    : shape_(shape),
      weight_(make_layout(device, shape.type, shape.depth, shape.outputs, shape.weight_stride)),
      x_(make_layout(device, shape.type, shape.depth, shape.rows, shape.x_stride)),
      out_(make_layout(device, shape.out_type, shape.outputs, shape.rows, shape.out_stride)) {
  make_desc(device);
}

BlasPlan::Layout BlasPlan::make_layout(CudaDevice& device, DType type, int64_t rows, int64_t columns,
                                       int64_t stride) {
  cublasLtMatrixLayout_t layout = nullptr;
  device.note(cublasLtMatrixLayoutCreate(&layout, cuda_type(type), static_cast<uint64_t>(rows),
                                         static_cast<uint64_t>(columns), stride),
              "cublasLtMatrixLayoutCreate");
  return Layout(layout);
}

template <typename T>
void BlasPlan::set(CudaDevice& device, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  device.note(cublasLtMatmulDescSetAttribute(desc_.get(), attribute, &value, sizeof(value)),
              "cublasLtMatmulDescSetAttribute");
}

// f32 products are computed in f32: no TF32. e4m3 products are summed as fast as the tensor cores can, to about 14
// bits, which is below what rounding to e4m3 costs.
void BlasPlan::make_desc(CudaDevice& device) {
  cublasLtMatmulDesc_t created = nullptr;
  device.note(cublasLtMatmulDescCreate(&created, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
  desc_.reset(created);
  if (!device.ok()) return;
  set(device, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  set(device, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
  if (shape_.type == DType::kE4M3) set(device, CUBLASLT_MATMUL_DESC_FAST_ACCUM, int8_t{1});
#if CUDART_VERSION >= 12090
  if (shape_.scaled) {
    // Algorithms are only named for a product that has scales; these are replaced before it runs.
    set(device, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, device.blas_workspace());
    set(device, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, device.blas_workspace());
    set(device, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, static_cast<int32_t>(CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F));
    set(device, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, static_cast<int32_t>(CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F));
  }
#endif
  if (shape_.bias) {
    set(device, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    set(device, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<int32_t>(cuda_type(bias_type())));
  }
}

DType BlasPlan::bias_type() const {
  return shape_.type == DType::kE4M3 && shape_.out_type == DType::kF32 ? DType::kBF16 : shape_.out_type;
}

std::vector<BlasAlgorithm> BlasPlan::candidates(CudaDevice& device, int count) const {
  if (shape_.scaled && CUDART_VERSION < 12090) return {};  // the toolkit has no outer vectors
  const Preference preference = make_preference(device, shape_);
  if (!device.ok()) return {};
  std::vector<cublasLtMatmulHeuristicResult_t> results(static_cast<size_t>(count));
  int found = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(device.blas(), desc_.get(), weight_.get(), x_.get(), out_.get(), out_.get(),
                                     preference.get(), count, results.data(), &found);
  std::vector<BlasAlgorithm> algorithms;
  for (int i = 0; status == CUBLAS_STATUS_SUCCESS && i < found; ++i) {
    const cublasLtMatmulHeuristicResult_t& result = results[static_cast<size_t>(i)];
    if (result.state == CUBLAS_STATUS_SUCCESS) algorithms.push_back({result.algo, result.workspaceSize});
  }
  return algorithms;
}

bool BlasPlan::supports(CudaDevice& device, const BlasAlgorithm& algorithm) const {
  cublasLtMatmulHeuristicResult_t result{};
  return cublasLtMatmulAlgoCheck(device.blas(), desc_.get(), weight_.get(), x_.get(), out_.get(), out_.get(),
                                 &algorithm.algorithm, &result) == CUBLAS_STATUS_SUCCESS &&
         result.workspaceSize <= std::min(algorithm.workspace_bytes, device.blas_workspace_bytes());
}

bool BlasPlan::run(CudaDevice& device, const Product& product, const BlasAlgorithm& algorithm, const void* bias,
                   void* out) {
  if (shape_.bias) set(device, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  if (shape_.scaled) {
    set(device, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, product.weight.scales());
    set(device, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, product.x.scales());
  }
  const float alpha = 1.0f, beta = shape_.accumulate ? 1.0f : 0.0f;
  if (!device.ok()) return true;
  const cublasStatus_t status = cublasLtMatmul(
      device.blas(), desc_.get(), &alpha, product.weight.raw(), weight_.get(), product.x.raw(), x_.get(), &beta, out,
      out_.get(), out, out_.get(), &algorithm.algorithm, device.blas_workspace(), algorithm.workspace_bytes,
      device.stream());
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) return false;
  device.note(status, "cublasLtMatmul");
  return true;
}

}  // namespace glyph::ops::cuda
