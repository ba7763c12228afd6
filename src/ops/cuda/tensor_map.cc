#include "ops/cuda/tensor_map.h"

#include <cudaTypedefs.h>
#include <cuda_runtime.h>

namespace glyph::ops::cuda {
namespace {

// From the driver, which is not linked: programs must start where there is none.
class Encoder {
 public:
  PFN_cuTensorMapEncodeTiled_v12000 get(CudaDevice& device) {
    if (!asked_) {
      asked_ = true;
      device.bind();
      void* found = nullptr;
      cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
#if CUDART_VERSION >= 12050
      const cudaError_t error = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result);
#else
      const cudaError_t error = cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &found, cudaEnableDefault, &result);
#endif
      if (error == cudaSuccess && result == cudaDriverEntryPointSuccess) encode_ = reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(found);
    }
    return encode_;
  }

 private:
  bool asked_ = false;
  PFN_cuTensorMapEncodeTiled_v12000 encode_ = nullptr;
};

std::optional<CUtensorMapDataType> type_of(DType type) {
  switch (type) {
    case DType::kF32: return CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
    case DType::kBF16: return CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
    case DType::kF16: return CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
    case DType::kE4M3: return CU_TENSOR_MAP_DATA_TYPE_UINT8;
    default: return {};
  }
}

}  // namespace

std::optional<CUtensorMap> tensor_map_of(CudaDevice& device, const ConstTensorView& matrix, const TensorBox& box) {
  const auto encode = device.state<Encoder>().get(device);
  const auto type = type_of(matrix.dtype());
  if (encode == nullptr || !type) return {};
  const auto rows = static_cast<cuuint64_t>(matrix.size(0)), columns = static_cast<cuuint64_t>(matrix.size(1));
  const auto size = static_cast<cuuint64_t>(bytes_of(matrix.dtype(), 1));
  // The stride of a single row is never used, but must be one.
  const cuuint64_t row_bytes = rows > 1 ? static_cast<cuuint64_t>(matrix.stride(0)) * size : (columns * size + 15) / 16 * 16;
  if (row_bytes % 16 != 0 || reinterpret_cast<uintptr_t>(matrix.raw()) % 16 != 0) return {};
  const cuuint64_t sizes[2] = {columns, rows};
  const cuuint32_t box_sizes[2] = {static_cast<cuuint32_t>(box.columns), static_cast<cuuint32_t>(box.rows)}, steps[2] = {1, 1};
  CUtensorMap map;
  const CUresult result = encode(&map, *type, 2, const_cast<void*>(static_cast<const void*>(matrix.raw())), sizes, &row_bytes, box_sizes, steps,
                                 CU_TENSOR_MAP_INTERLEAVE_NONE, box.swizzled ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_NONE,
                                 CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  return result == CUDA_SUCCESS ? std::optional(map) : std::nullopt;
}

}  // namespace glyph::ops::cuda
