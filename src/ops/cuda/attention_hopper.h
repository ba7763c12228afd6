// Starts the kernels of attention_hopper.cuh where both the GPU and the build have what they need.
#pragma once

#include "ops/cuda/attention_launch.cuh"

namespace glyph::ops::cuda {

// Grid as for flash_attention. False, and nothing queued, when another kernel must do it.
bool attend_on_hopper(CudaDevice& device, dim3 grid, const PagesProblem<__nv_bfloat16>& problem);
bool attend_on_hopper(CudaDevice& device, dim3 grid, const CausalProblem<__nv_bfloat16>& problem);
bool attend_on_hopper(CudaDevice& device, dim3 grid, const PagesProblem<__half>& problem);
bool attend_on_hopper(CudaDevice& device, dim3 grid, const CausalProblem<__half>& problem);

}  // namespace glyph::ops::cuda
