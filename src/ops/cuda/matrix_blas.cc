// Matrix products by cuBLASLt. What the library chose for a shape is kept.
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>

#include "ops/cuda/products.h"

namespace glyph::ops::cuda {
namespace {

cudaDataType_t cuda_type(DType type) { return type == DType::kBF16 ? CUDA_R_16BF : CUDA_R_32F; }

// Row-major out (rows, n) = x (rows, k) * weight (n, k)^T is column-major out (n, rows) = weight (k, n)^T * x (k,
// rows): the library's m, n, k are outputs, rows, depth.
struct Key {
  int64_t outputs, rows, depth;
  int64_t weight_stride, x_stride, out_stride;
  DType type, out_type;
  bool bias, accumulate;
  uint32_t weight_alignment, x_alignment, out_alignment;  // bytes

  auto operator<=>(const Key&) const = default;
};

uint32_t alignment_of(const void* data, int64_t stride, DType type) {
  const auto bits = reinterpret_cast<uintptr_t>(data) | static_cast<uintptr_t>(stride) * size_of(type) | 256u;
  return static_cast<uint32_t>(bits & -bits);
}

// A matrix of one row has no stride of its own.
int64_t stride_of(const ConstTensorView& view) {
  return view.size(0) == 1 ? std::max(view.size(1), int64_t{1}) : view.stride(0);
}

Key key_of(const Product& p) {
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
          .weight_alignment = alignment_of(p.weight.raw(), weight_stride, p.weight.dtype()),
          .x_alignment = alignment_of(p.x.raw(), x_stride, p.x.dtype()),
          .out_alignment = alignment_of(p.out.raw(), out_stride, p.out.dtype())};
}

struct LayoutDeleter {
  void operator()(cublasLtMatrixLayout_t layout) const { cublasLtMatrixLayoutDestroy(layout); }
};
using Layout = std::unique_ptr<cublasLtMatrixLayoutOpaque_t, LayoutDeleter>;
struct DescDeleter {
  void operator()(cublasLtMatmulDesc_t desc) const { cublasLtMatmulDescDestroy(desc); }
};
using Desc = std::unique_ptr<cublasLtMatmulDescOpaque_t, DescDeleter>;
struct PreferenceDeleter {
  void operator()(cublasLtMatmulPreference_t preference) const {
    cublasLtMatmulPreferenceDestroy(preference);
  }
};
using Preference = std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, PreferenceDeleter>;

Layout make_layout(CudaDevice& device, DType type, int64_t rows, int64_t columns, int64_t stride) {
  cublasLtMatrixLayout_t layout = nullptr;
  device.note(cublasLtMatrixLayoutCreate(&layout, cuda_type(type), static_cast<uint64_t>(rows),
                                         static_cast<uint64_t>(columns), stride),
              "cublasLtMatrixLayoutCreate");
  return Layout(layout);
}

template <typename T>
void set(CudaDevice& device, const Desc& desc, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  device.note(cublasLtMatmulDescSetAttribute(desc.get(), attribute, &value, sizeof(value)),
              "cublasLtMatmulDescSetAttribute");
}

// f32 products are computed in f32: no TF32.
Desc make_desc(CudaDevice& device, const Key& key) {
  cublasLtMatmulDesc_t created = nullptr;
  device.note(cublasLtMatmulDescCreate(&created, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
  Desc desc(created);
  if (!device.ok()) return desc;
  set(device, desc, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  set(device, desc, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
  if (key.bias) {
    set(device, desc, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    set(device, desc, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<int32_t>(cuda_type(key.out_type)));
  }
  return desc;
}

struct Plan {
  Desc desc;
  Layout weight, x, out;
  cublasLtMatmulAlgo_t algorithm{};
  size_t workspace_bytes = 0;
  bool found = false;
};

Preference make_preference(CudaDevice& device, const Key& key) {
  cublasLtMatmulPreference_t created = nullptr;
  device.note(cublasLtMatmulPreferenceCreate(&created), "cublasLtMatmulPreferenceCreate");
  Preference preference(created);
  if (!device.ok()) return preference;
  const auto put = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    device.note(cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof(value)),
                "cublasLtMatmulPreferenceSetAttribute");
  };
  put(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, static_cast<uint64_t>(device.blas_workspace_bytes()));
  put(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.weight_alignment);
  put(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.x_alignment);
  put(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.out_alignment);
  put(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.out_alignment);
  return preference;
}

Plan make_plan(CudaDevice& device, const Key& key) {
  Plan plan{.desc = make_desc(device, key),
            .weight = make_layout(device, key.type, key.depth, key.outputs, key.weight_stride),
            .x = make_layout(device, key.type, key.depth, key.rows, key.x_stride),
            .out = make_layout(device, key.out_type, key.outputs, key.rows, key.out_stride)};
  const Preference preference = make_preference(device, key);
  if (!device.ok()) return plan;
  cublasLtMatmulHeuristicResult_t result{};
  int count = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(device.blas(), plan.desc.get(), plan.weight.get(), plan.x.get(),
                                     plan.out.get(), plan.out.get(), preference.get(), 1, &result, &count);
  plan.found = status == CUBLAS_STATUS_SUCCESS && count > 0 && result.state == CUBLAS_STATUS_SUCCESS;
  if (plan.found) {
    plan.algorithm = result.algo;
    plan.workspace_bytes = result.workspaceSize;
  }
  return plan;
}

struct Plans {
  std::map<Key, Plan> by_key;
};

}  // namespace

bool matrix_blas(CudaDevice& device, const Product& product) {
  const Key key = key_of(product);
  std::map<Key, Plan>& plans = device.state<Plans>().by_key;
  auto found = plans.find(key);
  if (found == plans.end()) found = plans.emplace(key, make_plan(device, key)).first;
  Plan& plan = found->second;
  if (!device.ok()) return true;
  if (!plan.found) return false;

  DeviceMemory narrow_bias;  // the library wants the bias in the type of the result
  if (key.bias) {
    const void* bias = product.bias.raw();
    if (key.out_type == DType::kBF16) {
      narrow_bias = device.allocate(static_cast<size_t>(key.outputs) * size_of(DType::kBF16));
      convert(device, product.bias, {narrow_bias.get(), DType::kBF16, {key.outputs}});
      bias = narrow_bias.get();
    }
    set(device, plan.desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  }
  const float alpha = 1.0f, beta = key.accumulate ? 1.0f : 0.0f;
  if (!device.ok()) return true;
  const cublasStatus_t status =
      cublasLtMatmul(device.blas(), plan.desc.get(), &alpha, product.weight.raw(), plan.weight.get(),
                     product.x.raw(), plan.x.get(), &beta, product.out.raw(), plan.out.get(), product.out.raw(),
                     plan.out.get(), &plan.algorithm, device.blas_workspace(), plan.workspace_bytes, device.stream());
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) {
    plan.found = false;  // the library promised more than it has
    return false;
  }
  device.note(status, "cublasLtMatmul");
  return true;
}

}  // namespace glyph::ops::cuda
