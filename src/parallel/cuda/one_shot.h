// The small sums of a decode step: every GPU writes its values straight into the others' memory, in one kernel.
//
// 80 sums of 16 KiB a token take as long as their latency. Values travel in packs of 16 bytes, two of them and twice the number
// of the call, so that whoever waits for a pack sees from itself that it is there: no fence, no second round. The protocol of two
// values with two flags is that of NCCL's LL; there are two sets of places, because a rank is at most one call ahead of another.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace glyph {

constexpr int kMaxRanks = 8;
// Groups that the kernels are made for.
constexpr bool is_one_shot_size(int size) { return size == 2 || size == 4 || size == 8; }

struct OneShot {
  uint4* inbox[kMaxRanks] = {};        // of every rank, in its memory: (2, size, capacity) packs
  uint32_t* state = nullptr;           // of this rank: number of the call, blocks that are done
  const uint32_t* aborted = nullptr;   // in host memory: not 0 when nobody should wait any more
  int rank = 0;
  int size = 0;
  int64_t capacity = 0;                // packs of two values
};

// x (count), even and at most 2 * capacity, becomes the sum over the ranks in their order, or that of rank `root` where root is not
// negative. State and inboxes began as zeros, but for a 1 as the number of the first call.
cudaError_t one_shot_sum(const OneShot& shot, float* x, int64_t count, int root, int num_multiprocessors, cudaStream_t stream);

// The same, and what Communicator::all_reduce_add_norm() says; out of type Out, float or __nv_bfloat16. Rows are `x_stride` and
// `out_stride` elements apart, those of the branch n; all begin at multiples of 8 bytes, in steps of two elements.
template <typename Out>
struct OneShotNorm {
  const float* branch = nullptr;
  const float* branch_weight = nullptr;
  const float* next_weight = nullptr;
  float eps = 0;
  float* x = nullptr;
  Out* out = nullptr;
  int64_t x_stride = 0, out_stride = 0;
  int64_t rows = 0, n = 0;
};
constexpr int64_t kMaxNormColumns = 8192;
template <typename Out>
cudaError_t one_shot_norm(const OneShot& shot, const OneShotNorm<Out>& norm, cudaStream_t stream);

}  // namespace glyph
