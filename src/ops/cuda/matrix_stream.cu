// Products of a few rows (up to 32) with bf16 or e4m3 weights, bound by reading the weights once, on compute capability 9.0.
//
// No thread touches a weight: the copy engine brings 128 bytes of each of a block's 32 weight rows, a chunk, into shared memory, swizzled as wgmma
// reads its right operand there. The left operand is made of the rows of x, in registers: as e4m3 numbers two of which together are a bf16 number
// (three bf16 numbers for f32 rows), which stand in different rows of the operand and cost nothing there. What a chunk of x is made into depends on
// nothing but that chunk of that row, and rows of a product know nothing of each other: a row has the same results alone and among others.
//
// Two warpgroups take turns at the chunks; a warp of its own keeps the copies going, and begins them while the kernel before still makes x.
#include <cuda.h>
#include <cuda_bf16.h>

#include <limits>

#include "ops/cuda/elements.cuh"
#include "ops/cuda/hopper_ptx.cuh"
#include "ops/cuda/launch.cuh"
#include "ops/cuda/product_work.cuh"
#include "ops/cuda/products.h"
#include "ops/cuda/tensor_map.h"

// Where the instructions cannot be compiled the kernel is empty, and what it is made of unused.
#pragma nv_diag_suppress 177

namespace glyph::ops::cuda {
namespace {

constexpr int kOutputs = 32;      // weight rows of a block, or 16 gates and their ups
constexpr int kChunkBytes = 128;  // of a weight row
constexpr int kWords = kChunkBytes / 4;
constexpr int kSteps = kChunkBytes / 32;  // wgmma takes 32 bytes of the depth
constexpr int kWeightBytes = kOutputs * kChunkBytes;
constexpr int kGroups = 2;       // warpgroups
constexpr int kWarps = 4 * kGroups;
constexpr int kThreads = 32 * (kWarps + 1);
constexpr int kBlocksAtOnce = 2;  // of a multiprocessor
constexpr int kMaxStages = 24;
constexpr int kBlockBytes = 110 << 10;  // of shared memory, half of a multiprocessor's
constexpr int kLaneRows = 8;            // rows of x that a warp has

// How the left operand is made of a chunk of a row of x. Word number l of a chunk is its l-th 4 bytes, as in a weight row; a warp makes all words of a
// row at once, up to two for each, and the scale of their products.
struct E4M3FromBF16 {
  using Input = __nv_bfloat16;
  using Piece = uint2;
  static constexpr bool kE4M3 = true;  // sums of a chunk are multiplied by its scale and added in f32: wgmma's sums of e4m3 have 14 bits
  static constexpr int kInputs = 128;  // of a chunk
  static constexpr int kPlanes = 1;    // sums of a row that are added at the end
  static constexpr int kRoles = 1;     // warps that 8 rows take
  static constexpr int kMaxRows = 32;

  // Four neighbours of a chunk as two words of e4m3, and the chunk's scale: a power of two, so that its largest number lies in [128, 256). NaN where the
  // chunk has a number that is none.
  __device__ static float make_words(const Piece& four, int, uint32_t (&words)[2]) {
    const uint32_t both = __vmaxu2(four.x & 0x7FFF7FFFu, four.y & 0x7FFF7FFFu);
    const uint32_t largest = __reduce_max_sync(0xFFFFFFFFu, max(both & 0xFFFFu, both >> 16));
    const uint32_t exponent = max(largest >> 7, 8u);
    const float factor = __uint_as_float((261u - exponent) << 23);
    float value[4] = {__uint_as_float(four.x << 16), __uint_as_float(four.x & 0xFFFF0000u), __uint_as_float(four.y << 16),
                      __uint_as_float(four.y & 0xFFFF0000u)};
#pragma unroll
    for (float& v : value) v *= factor;
    words[0] = word_of(static_cast<const E4M3*>(nullptr), value);
    // What the first word leaves, at most half a step of e4m3, 8: two numbers are widened at once.
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float2 kept = __half22float2(__half2(__nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(words[0] >> 16 * i), __NV_E4M3)));
      value[2 * i] = 16 * (value[2 * i] - kept.x);
      value[2 * i + 1] = 16 * (value[2 * i + 1] - kept.y);
    }
    words[1] = word_of(static_cast<const E4M3*>(nullptr), value);
    return exponent == 255 ? __uint_as_float(0x7FFFFFFFu) : __uint_as_float((exponent - 7) << 23);
  }
};
struct BF16FromF32 {
  using Input = float;
  using Piece = uint2;
  static constexpr bool kE4M3 = false;
  static constexpr int kInputs = 64;
  static constexpr int kPlanes = 3;
  static constexpr int kRoles = 2;  // the first has the two larger numbers, the second the smallest
  static constexpr int kMaxRows = 8;

  // Two neighbours as words of bf16 that add up to them: the first and second, or, in the second role, the third.
  __device__ static float make_words(const Piece& two, int role, uint32_t (&words)[2]) {
    float low = __uint_as_float(two.x), high = __uint_as_float(two.y);
    uint32_t parts[3];
#pragma unroll
    for (uint32_t& part : parts) {
      part = pack_pair<__nv_bfloat16>(low, high);
      low -= __uint_as_float(part << 16);
      high -= __uint_as_float(part & 0xFFFF0000u);
    }
    words[0] = role == 0 ? parts[0] : parts[2];
    words[1] = role == 0 ? parts[1] : 0;
    return 1;
  }
};
struct BF16FromBF16 {
  using Input = __nv_bfloat16;
  using Piece = uint32_t;
  static constexpr bool kE4M3 = false;
  static constexpr int kInputs = 64;
  static constexpr int kPlanes = 1;
  static constexpr int kRoles = 1;
  static constexpr int kMaxRows = 32;

  // Two neighbours as they are.
  __device__ static float make_words(const Piece& two, int, uint32_t (&words)[2]) {
    words[0] = two;
    return 1;
  }
};

// Bytes of a chunk of a row of x.
template <typename Kind>
constexpr int kRowBytes = Kind::kInputs * static_cast<int>(sizeof(typename Kind::Input));

// Results of a row that a block makes.
template <bool kSwiglu>
constexpr int kWritten = kSwiglu ? kOutputs / 2 : kOutputs;

struct StreamWork : ProductWork<int> {
  const float* scales = nullptr;  // of e4m3 weight rows
  const float* up_scales = nullptr;
  int stages = 0;

  template <typename Kind>
  __device__ int num_chunks() const {
    return (depth + Kind::kInputs - 1) / Kind::kInputs;
  }
};

// Where the chunks lie, in the order in which they are read.
struct Ring {
  char* weights;  // stages times kWeightBytes, aligned to 1024
  char* inputs;   // stages times the rows' chunks
  uint64_t* full;
  uint64_t* empty;
};

// A stage and whether it is being used for an even or odd time.
struct Place {
  int stage;
  int parity = 0;

  __device__ void advance(int by, int stages) {
    stage += by;
    if (stage >= stages) {
      stage -= stages;
      parity ^= 1;
    }
  }
};

// The words of one warp's rows: 16 bytes of a row for each lane % 4 and step, which are the lane's part of the left operand. They lie so that neither
// the stores nor the loads of a warp meet in a bank.
using Words = uint32_t[kLaneRows][4][kSteps][4];
constexpr uint32_t kRowWordBytes = sizeof(Words) / kLaneRows;

// Shared addresses of a lane, kept in registers.
struct LanePlaces {
  uint32_t inputs;    // its piece of the warp's first row, of stage 0
  uint32_t to, from;  // where its word of row 0 goes, and where its part of the operand lies

  __device__ LanePlaces(uint32_t inputs_of_row, int piece_bytes, const Words& words)
      : inputs(inputs_of_row), to(shared_address(&words)), from(shared_address(&words)) {
    const uint32_t lane = threadIdx.x % 32, t = lane % 4, high = lane / 4;
    inputs += lane * piece_bytes;
    to += t * 64 + (high * 8 ^ t / 2 * 32);  // word number `lane`
    from += high * kRowWordBytes + t * 64 + (t / 2 * 32 ^ high % 2 * 16);  // of row number `high`
    compute_from_here(inputs);
    compute_from_here(to);
    compute_from_here(from);
  }
};

// The left operand of a chunk: a[step] as multiply_add() takes it, row lane / 4 above and, of its second number, 8 below.
struct Operand {
  uint32_t a[kSteps][4] = {};

  __device__ void load(const LanePlaces& places) {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) load_shared(places.from ^ step * 16, a[step]);
  }
};

// Makes the words of a chunk of the warp's rows, `stage_bytes` behind the first stage. -> the scale of the lane's row.
template <typename Kind>
__device__ inline float make_words_of_rows(const LanePlaces& places, uint32_t stage_bytes, int num_rows, int role) {
  float scale = 0;
  __syncwarp();  // all have read the words before
#pragma unroll 1
  for (int row = 0; row < num_rows; ++row) {
    typename Kind::Piece piece;
    load_shared(places.inputs + stage_bytes + row * kRowBytes<Kind>, piece);
    uint32_t words[2] = {};
    const float scale_of_row = Kind::make_words(piece, role, words);
    if (row == static_cast<int>(threadIdx.x) % 32 / 4) scale = scale_of_row;
    store_shared((places.to ^ row % 2 * 16) + row * kRowWordBytes, words);
  }
  __syncwarp();
  return scale;
}

// What a lane has of its row: columns 8 i + 2 (lane % 4) and the next.
template <typename Kind>
struct Totals {
  float products[kOutputs / 8][4] = {};  // as wgmma leaves them
  float sums[Kind::kE4M3 ? kOutputs / 8 : 1][2] = {};

  // All four warps of a group.
  __device__ void multiply(const Operand& operand, uint64_t weights, bool first) {
    using Operands = std::conditional_t<Kind::kE4M3, E4M3, __nv_bfloat16>;
    begin_products();
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      multiply_registers<Operands>(products, operand.a[step], weights + 2 * step, step > 0 || (!Kind::kE4M3 && !first));
    }
    commit_products();
  }
  // When the products of the chunk are there.
  __device__ void add(float scale) {
    if constexpr (Kind::kE4M3) {
#pragma unroll
      for (int i = 0; i < kOutputs / 8; ++i) {
#pragma unroll
        for (int j = 0; j < 2; ++j) sums[i][j] += scale * (products[i][j] + products[i][2 + j] * 0.0625f);
      }
    }
  }
  __device__ float2 of_plane(int plane, int i) const {
    if constexpr (Kind::kE4M3) return {sums[i][0], sums[i][1]};
    return plane == 1 ? float2{products[i][2], products[i][3]} : float2{products[i][0], products[i][1]};
  }
};

// One warp, one lane of it: everything from memory, in the order of the chunks.
template <typename Kind, bool kSwiglu>
__device__ inline void copy_chunks(const StreamWork& work, const Ring& ring, const CUtensorMap& weight, const CUtensorMap& up, const CUtensorMap& x) {
  const int num_chunks = work.num_chunks<Kind>(), first_row = static_cast<int>(blockIdx.x) * kWritten<kSwiglu>;
  const int input_bytes = work.rows * kRowBytes<Kind>;
  const auto copy_weights = [&](int chunk, int stage) {
    arrive_expecting(&ring.full[stage], kWeightBytes + input_bytes);
    copy_box(ring.weights + stage * kWeightBytes, weight, chunk * Kind::kInputs, first_row, &ring.full[stage]);
    if (kSwiglu) copy_box(ring.weights + stage * kWeightBytes + kWeightBytes / 2, up, chunk * Kind::kInputs, first_row, &ring.full[stage]);
  };
  const auto copy_inputs = [&](int chunk, int stage) {
    copy_box(ring.inputs + stage * input_bytes, x, chunk * Kind::kInputs, 0, &ring.full[stage]);
  };
  const int ahead = min(work.stages, num_chunks);
  fetch_matrix(x);
  for (int chunk = 0; chunk < ahead; ++chunk) copy_weights(chunk, chunk);
  wait_for_kernel_before();
  for (int chunk = 0; chunk < ahead; ++chunk) copy_inputs(chunk, chunk);
  Place place{.stage = 0};
  for (int chunk = ahead; chunk < num_chunks; ++chunk, place.advance(1, work.stages)) {
    wait_barrier(&ring.empty[place.stage], place.parity);
    copy_weights(chunk, place.stage);
    copy_inputs(chunk, place.stage);
  }
}

template <typename Kind, bool kSwiglu>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    stream_kernel(const __grid_constant__ StreamWork work, const __grid_constant__ CUtensorMap weight, const __grid_constant__ CUtensorMap up,
                  const __grid_constant__ CUtensorMap x) {
#ifdef GLYPH_HOPPER_CODE
  constexpr int kResults = kWritten<kSwiglu>;
  extern __shared__ char dynamic[];
  __shared__ uint64_t full[kMaxStages], empty[kMaxStages];
  __shared__ alignas(256) Words words[kWarps];
  __shared__ float partial[kGroups][Kind::kPlanes][Kind::kMaxRows][kOutputs];
  Ring ring{.weights = dynamic + (1024 - shared_address(dynamic) % 1024) % 1024, .inputs = nullptr, .full = full, .empty = empty};
  ring.inputs = ring.weights + work.stages * kWeightBytes;
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  let_next_kernel_start();
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < work.stages; ++stage) {
      init_barrier(&full[stage], 1);
      init_barrier(&empty[stage], 4);
    }
    fence_barriers();
    fence_for_wgmma();
  }
  __syncthreads();
  if (warp == kWarps) {
    if (lane == 0) copy_chunks<Kind, kSwiglu>(work, ring, weight, up, x);
    return;
  }

  // Warps take the rows in another order in each block: all warps of one number share an instruction scheduler.
  const int group = warp / 4, turn = (warp + static_cast<int>(blockIdx.x)) % 4;
  constexpr int kShares = 4 / Kind::kRoles;
  const int share = (work.rows + kShares - 1) / kShares;
  const int role = turn % Kind::kRoles, first_row = turn / Kind::kRoles * share;
  const int num_rows = max(0, min(share, work.rows - first_row));
  const int num_chunks = work.num_chunks<Kind>(), input_bytes = work.rows * kRowBytes<Kind>;
  Totals<Kind> totals;
  Operand operand;
  Place place{.stage = group};
  const LanePlaces places(shared_address(ring.inputs) + first_row * kRowBytes<Kind>, sizeof(typename Kind::Piece), words[warp]);
  const bool has_row = lane / 4 < num_rows;
  const auto convert = [&] {
    wait_barrier(&full[place.stage], place.parity);
    return make_words_of_rows<Kind>(places, place.stage * input_bytes, num_rows, role);
  };
  // All results of a thread are of one output, whose scales are far away.
  const int n = static_cast<int>(blockIdx.x) * kResults + static_cast<int>(threadIdx.x) % kResults;
  const bool there = n < work.outputs;
  const float scale_of_output = there && work.scales != nullptr ? work.scales[n] : 1;
  const float scale_of_up = kSwiglu && there && work.up_scales != nullptr ? work.up_scales[n] : 1;
  const float bias = there && work.bias != nullptr ? work.bias[n] : 0;
  wait_for_kernel_before();  // x, and what results are added to; asking for x while it is made would take its time
  float scale = 0;
  if (group < num_chunks) {
    scale = convert();
    if (has_row) operand.load(places);
  }
  for (int chunk = group; chunk < num_chunks; chunk += kGroups) {
    const int stage = place.stage;
    totals.multiply(operand, describe_matrix(shared_address(ring.weights) + stage * kWeightBytes, 16), chunk == group);
    place.advance(kGroups, work.stages);
    const bool more = chunk + kGroups < num_chunks;
    float next_scale = 0;
    if (more) next_scale = convert();
    wait_products<0>();
    if (more && has_row) operand.load(places);
    totals.add(scale);
    if (lane == 0) arrive(&empty[stage]);
    scale = next_scale;
  }

  if (lane / 4 < num_rows) {
#pragma unroll
    for (int plane = 0; plane < Kind::kPlanes; ++plane) {
      if (Kind::kRoles > 1 && role != plane / 2) continue;  // the third sum is the second role's first
#pragma unroll
      for (int i = 0; i < kOutputs / 8; ++i) {
        auto* to = reinterpret_cast<float2*>(&partial[group][plane][first_row + lane / 4][8 * i + lane % 4 * 2]);
        *to = totals.of_plane(plane == 2 ? 0 : plane, i);
      }
    }
  }
  meet<32 * kWarps>(1);
  const auto total = [&](int row, int m) {
    float sum = 0, rest = 0;
#pragma unroll
    for (int g = 0; g < kGroups; ++g) {
      sum += partial[g][0][row][m];
#pragma unroll
      for (int plane = 1; plane < Kind::kPlanes; ++plane) rest += partial[g][plane][row][m];
    }
    return sum + rest;
  };
  if (!there) return;
  static_assert(32 * kWarps % kResults == 0);
  const int m = static_cast<int>(threadIdx.x) % kResults;
  for (int row = static_cast<int>(threadIdx.x) / kResults; row < work.rows; row += 32 * kWarps / kResults) {
    float value = scale_of_output * total(row, m);
    if constexpr (kSwiglu) value = silu(value) * (scale_of_up * total(row, m + kResults));
    put_result(work.out, work.out_type, row * work.out_stride + n, value + bias, work.accumulate);
  }
#endif
}

template <typename Kind, bool kSwiglu>
bool launch_kind(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& weight, const ConstTensorView& up, StreamWork work, Start start) {
  constexpr int64_t kOf16Bytes = Kind::kInputs * 16 / kChunkBytes;  // weights
  // Rows that are not aligned go another way even when there is one.
  if (work.rows > Kind::kMaxRows || !packs(x, 16 / sizeof(typename Kind::Input)) || !packs(weight, kOf16Bytes) || !packs(up, kOf16Bytes)) return false;
  const TensorBox weight_box{.columns = Kind::kInputs, .rows = kWritten<kSwiglu>, .swizzled = true};
  const auto weight_map = tensor_map_of(device, weight, weight_box);
  const auto up_map = kSwiglu ? tensor_map_of(device, up, weight_box) : weight_map;
  const auto x_map = tensor_map_of(device, x, {.columns = Kind::kInputs, .rows = work.rows, .swizzled = false});
  if (!weight_map || !up_map || !x_map) return false;
  const int stage_bytes = kWeightBytes + work.rows * kRowBytes<Kind>;
  constexpr int kOther = sizeof(Words) * kWarps + sizeof(float) * kGroups * Kind::kPlanes * Kind::kMaxRows * kOutputs + 16 * kMaxStages + 1024;
  work.stages = std::clamp((kBlockBytes - kOther) / stage_bytes, kGroups + 1, kMaxStages);  // a group holds one while it waits for another
  const auto blocks = static_cast<unsigned>((work.outputs + kWritten<kSwiglu> - 1) / kWritten<kSwiglu>);
  const auto shared_bytes = static_cast<size_t>(work.stages) * static_cast<size_t>(stage_bytes) + 1024;
  launch(device, "matrix_stream", stream_kernel<Kind, kSwiglu>, {blocks, kThreads, shared_bytes, start}, work, *weight_map, *up_map, *x_map);
  return true;
}

template <bool kSwiglu>
bool launch_types(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& weight, const ConstTensorView& up, const StreamWork& work,
                  Start start) {
  const DType from = x.dtype(), with = weight.dtype();
  if (with == DType::kE4M3 && from == DType::kBF16) return launch_kind<E4M3FromBF16, kSwiglu>(device, x, weight, up, work, start);
  if (with == DType::kBF16 && from == DType::kF32) return launch_kind<BF16FromF32, kSwiglu>(device, x, weight, up, work, start);
  if (with == DType::kBF16 && from == DType::kBF16) return launch_kind<BF16FromBF16, kSwiglu>(device, x, weight, up, work, start);
  return false;
}

bool fits(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& weight) {
  constexpr int64_t kLimit = std::numeric_limits<int>::max() / 2;
  return x.size(0) <= kMaxStreamedRows && x.size(1) < kLimit && weight.size(0) < kLimit && has_hopper_code(device);
}

// Of each row, where it has one.
const float* scales_of(const ConstTensorView& weight) {
  return weight.dtype() == DType::kE4M3 ? static_cast<const float*>(weight.scales()) : nullptr;
}

}  // namespace

bool matrix_stream(CudaDevice& device, const Product& p) {
  if (!fits(device, p.x, p.weight)) return false;
  return launch_types<false>(device, p.x, p.weight, p.weight, {work_of<int>(p), scales_of(p.weight)}, start_of(p));
}

bool swiglu_matrix_stream(CudaDevice& device, const ConstTensorView& x, const ConstTensorView& gate, const ConstTensorView& up, const TensorView& out) {
  if (is_quantised(out.dtype()) || gate.dtype() != up.dtype() || !fits(device, x, gate)) return false;
  const StreamWork work{work_of<int>(x, gate, up, out), scales_of(gate), scales_of(up)};
  return launch_types<true>(device, x, gate, up, work, Start::kRecorded);
}

}  // namespace glyph::ops::cuda
