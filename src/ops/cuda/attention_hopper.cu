#include "ops/cuda/attention_hopper.cuh"
#include "ops/cuda/attention_hopper.h"
#include "ops/cuda/trial.h"

namespace glyph::ops::cuda {
namespace {

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

template <typename Problem>
bool attend(CudaDevice& device, dim3 grid, const Problem& problem) {
  if (problem.head_dim != kHopperHeadDim || !device.state<HopperCode>().is_there(device)) return false;
  launch(device, "hopper_attention", hopper_attention<Problem>, {grid, kHopperThreads, sizeof(HopperShared<typename Problem::Query>)},
         problem);
  return true;
}

static_assert(kHopperRows == kFlashRows, "one grid for both");

}  // namespace

bool attend_on_hopper(CudaDevice& device, dim3 grid, const PagesProblem<__nv_bfloat16>& problem) {
  return attend(device, grid, problem);
}
bool attend_on_hopper(CudaDevice& device, dim3 grid, const CausalProblem<__nv_bfloat16>& problem) {
  return attend(device, grid, problem);
}
bool attend_on_hopper(CudaDevice& device, dim3 grid, const PagesProblem<__half>& problem) {
  return attend(device, grid, problem);
}
bool attend_on_hopper(CudaDevice& device, dim3 grid, const CausalProblem<__half>& problem) {
  return attend(device, grid, problem);
}

}  // namespace glyph::ops::cuda
