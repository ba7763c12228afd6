// Why the driver gives no GPU, in a sentence that says what to do.
#pragma once

#include <cuda_runtime.h>

#include <string>

namespace glyph {

// `error`: of the first call of the runtime.
std::string why_no_gpu(cudaError_t error);

}  // namespace glyph
