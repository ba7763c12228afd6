#include "ops/cuda/attention_hopper.cuh"
#include "ops/cuda/attention_hopper.h"
#include "ops/cuda/trial.h"

namespace glyph::ops::cuda {
namespace {

template <typename Problem>
bool attend(CudaDevice& device, dim3 grid, const Problem& problem) {
  if (problem.head_dim != kHopperHeadDim || !has_hopper_code(device)) return false;
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
