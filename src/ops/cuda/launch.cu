#include "ops/cuda/launch.cuh"

#include "ops/cuda/hopper_ptx.cuh"
#include "ops/cuda/trial.h"

namespace glyph::ops::cuda {
namespace {

__global__ void any_kernel() {}

// Whether kernels of this program wait for the one before them on this GPU: what the driver loaded may have been compiled
// for an older one, and has no waits.
class Waits {
 public:
  bool are_there(CudaDevice& device) {
    if (!asked_) {
      asked_ = true;
      cudaFuncAttributes code{};
      if (device.architecture() >= 90 && !is_turned_off("GLYPH_EARLY_KERNELS") && !is_turned_off("GLYPH_HOPPER_KERNELS")) {
        device.note(cudaFuncGetAttributes(&code, any_kernel), "cudaFuncGetAttributes");
      }
      there_ = code.ptxVersion >= 90;
    }
    return there_;
  }

 private:
  bool asked_ = false;
  bool there_ = false;
};

// What the code that the driver loaded for this GPU was compiled with: a build for older ones, or PTX without
// the features of 9.0a, has kernels that do nothing.
#ifdef GLYPH_HOPPER_CODE
__device__ int hopper_code = 1;
#else
__device__ int hopper_code = 0;
#endif

class HopperCode {
 public:
  bool is_there(CudaDevice& device) {
    if (!asked_) {
      asked_ = true;
      if (device.architecture() == 90 && !is_turned_off("GLYPH_HOPPER_KERNELS")) {
        device.note(cudaMemcpyFromSymbol(&there_, hopper_code, sizeof(there_)), "cudaMemcpyFromSymbol");
      }
    }
    return there_ != 0;
  }

 private:
  bool asked_ = false;
  int there_ = 0;
};

// Whether what is queued now is recorded right behind a kernel, and behind nothing else (a copy, another stream).
bool is_recorded_behind_kernel(cudaStream_t stream) {
#if CUDART_VERSION >= 12030
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  const cudaGraphNode_t* before = nullptr;
  const cudaGraphEdgeData* edges = nullptr;
  size_t num_before = 0;
#if CUDART_VERSION >= 13000
  const cudaError_t error = cudaStreamGetCaptureInfo(stream, &status, nullptr, nullptr, &before, &edges, &num_before);
#else
  const cudaError_t error = cudaStreamGetCaptureInfo_v3(stream, &status, nullptr, nullptr, &before, &edges, &num_before);
#endif
  if (error != cudaSuccess || status != cudaStreamCaptureStatusActive || num_before != 1) return false;
  cudaGraphNodeType type = cudaGraphNodeTypeEmpty;
  return cudaGraphNodeGetType(before[0], &type) == cudaSuccess && type == cudaGraphNodeTypeKernel;
#else
  return false;  // records do not know the kind of edge
#endif
}

}  // namespace

bool has_hopper_code(CudaDevice& device) { return device.state<HopperCode>().is_there(device); }

bool starts_early(CudaDevice& device, Start start) {
  if (start == Start::kAfter || !device.state<Waits>().are_there(device)) return false;
  return start == Start::kEarly || is_recorded_behind_kernel(device.stream());
}

}  // namespace glyph::ops::cuda
