#include "ops/cpu/bf16_pack.h"
#include "ops/cpu/kernel_table.h"

namespace {

// Blocks of 32 x 32 products on the tile unit: two tiles of x times two tiles of the panel, four tiles of
// sums.
namespace amx_matrix {

using glyph::BF16;
using glyph::ops::cpu::PackSource;

constexpr int kRows = 32;
constexpr int kColumns = 32;
constexpr int kDepthStep = 32;

int64_t padded(int64_t depth) { return (depth + kDepthStep - 1) / kDepthStep * kDepthStep; }

void pack(const PackSource& source, int first, void* panel) {
  bf16_panel::pack_columns(source, first, kColumns, padded(source.depth), static_cast<BF16*>(panel));
}

void pack_transposed(const PackSource& source, void* panel) {
  bf16_panel::pack_row_pairs(source, kColumns, padded(source.count), static_cast<BF16*>(panel));
}

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// The tile intrinsics do not tell the compiler what memory they read: what was just written must be in memory
// before them.
inline void written() { __asm__ volatile("" ::: "memory"); }

// Tiles 0-3 hold sums, 4 and 5 rows of x, 6 and 7 the panel.
thread_local int configured_rows = 0;

void configure(int num_rows) {
  if (configured_rows == num_rows) return;
  TileConfig config;
  const auto upper = static_cast<uint8_t>(num_rows < 16 ? num_rows : 16);
  const auto lower = static_cast<uint8_t>(num_rows > 16 ? num_rows - 16 : 1);
  const uint8_t rows[8] = {upper, upper, lower, lower, upper, lower, 16, 16};
  for (int i = 0; i < 8; ++i) {
    config.row_bytes[i] = 64;
    config.rows[i] = rows[i];
  }
  written();
  _tile_loadconfig(&config);
  configured_rows = num_rows;
}

void end() {
  if (configured_rows == 0) return;
  _tile_release();
  configured_rows = 0;
}

// One step of 32 depth indices.
template <bool kLower>
inline void step(const char* x, int64_t x_bytes, const BF16* panel) {
  constexpr int64_t kPanelRowBytes = kColumns * 4;
  _tile_loadd(4, x, x_bytes);
  _tile_loadd(6, panel, kPanelRowBytes);
  _tile_loadd(7, panel + 32, kPanelRowBytes);
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  if constexpr (kLower) {
    _tile_loadd(5, x + 16 * x_bytes, x_bytes);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
}

// The products of depth [0, depth) are added to the tiles of sums.
template <bool kLower>
inline void add_products(const BF16* x, int64_t x_stride, int num_rows, int64_t depth, const BF16* panel) {
  const auto* bytes = reinterpret_cast<const char*>(x);
  const int64_t x_bytes = x_stride * 2;
  int64_t k = 0;
  for (; k + kDepthStep <= depth; k += kDepthStep) step<kLower>(bytes + k * 2, x_bytes, panel + k * kColumns);
  if (k < depth) {  // the rest of each row, filled up with zeros
    alignas(64) BF16 tail[kRows][kDepthStep];
    __builtin_memset(tail, 0, sizeof(tail));
    for (int r = 0; r < num_rows; ++r)
      __builtin_memcpy(tail[r], x + r * x_stride + k, static_cast<size_t>(depth - k) * 2);
    written();
    step<kLower>(reinterpret_cast<const char*>(tail), kDepthStep * 2, panel + k * kColumns);
  }
}

inline void clear_sums() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

template <bool kLower>
inline void store_sums(float* c, int64_t c_stride) {
  const int64_t c_bytes = c_stride * 4;
  _tile_stored(0, c, c_bytes);
  _tile_stored(1, c + 16, c_bytes);
  if constexpr (kLower) {
    _tile_stored(2, c + 16 * c_stride, c_bytes);
    _tile_stored(3, c + 16 * c_stride + 16, c_bytes);
  }
}

template <int kParts, bool kLower>
void multiply_block(const BF16* x, int64_t x_stride, int num_rows, int64_t depth, const BF16* panel, float* c,
                    int64_t c_stride) {
  clear_sums();
  // The smallest part first: what is added to small sums is rounded least.
  for (int part = kParts - 1; part >= 0; --part)
    add_products<kLower>(x + part * depth, x_stride, num_rows, depth, panel);
  store_sums<kLower>(c, c_stride);
}

template <int kParts>
void multiply_parts(const BF16* x, int64_t x_stride, int num_rows, int64_t depth, const BF16* panel, float* c,
                    int64_t c_stride) {
  configure(num_rows);
  if (num_rows > 16) {
    multiply_block<kParts, true>(x, x_stride, num_rows, depth, panel, c, c_stride);
  } else {
    multiply_block<kParts, false>(x, x_stride, num_rows, depth, panel, c, c_stride);
  }
}

void multiply(const void* x, int64_t x_stride, int num_rows, int64_t depth, const void* panel, float* c,
              int64_t c_stride) {
  multiply_parts<1>(static_cast<const BF16*>(x), x_stride, num_rows, depth, static_cast<const BF16*>(panel), c, c_stride);
}

// f32 rows as three bf16 parts (Henry, Tang, Heinecke, Leveraging the bfloat16 Artificial Intelligence Datatype For
// Higher-Precision Computations, 2019). A product of two bf16 numbers is exact in f32, so only the sums round.
void multiply_split(const void* x, int64_t x_stride, int num_rows, int64_t depth, const void* panel, float* c,
                    int64_t c_stride) {
  multiply_parts<glyph::ops::cpu::kSplitParts>(static_cast<const BF16*>(x), x_stride, num_rows, padded(depth),
                                               static_cast<const BF16*>(panel), c, c_stride);
}

void split_row(const float* x, int64_t depth, int64_t padded_depth, BF16* parts) {
  for (int64_t k = 0; k < padded_depth; k += 16) {
    const int64_t left = depth - k;
    const __mmask16 mask = left >= 16 ? 0xFFFFu : left <= 0 ? 0u : (1u << left) - 1u;
    __m512 rest = _mm512_maskz_loadu_ps(mask, x + k);
    for (int part = 0; part < glyph::ops::cpu::kSplitParts; ++part) {
      const __m256bh rounded = _mm512_cvtneps_pbh(rest);
      __builtin_memcpy(parts + part * padded_depth + k, &rounded, sizeof(rounded));
      rest = _mm512_sub_ps(rest, _mm512_cvtpbh_ps(rounded));
    }
  }
}

}  // namespace amx_matrix

constexpr glyph::ops::cpu::MatrixKernel kAmxMatrix = {
    .type = glyph::DType::kBF16,
    .rows = amx_matrix::kRows,
    .columns = amx_matrix::kColumns,
    .depth_step = amx_matrix::kDepthStep,
    .pack = amx_matrix::pack,
    .pack_transposed = amx_matrix::pack_transposed,
    .multiply = amx_matrix::multiply,
    .end = amx_matrix::end,
};

constexpr glyph::ops::cpu::MatrixKernel with_multiply(glyph::ops::cpu::MatrixKernel matrix,
                                                      decltype(glyph::ops::cpu::MatrixKernel::multiply) multiply) {
  matrix.multiply = multiply;
  return matrix;
}
constexpr glyph::ops::cpu::MatrixKernel kAmxSplitMatrix = with_multiply(kAmxMatrix, amx_matrix::multiply_split);

constexpr glyph::ops::cpu::Kernels make_amx_kernels() {
  glyph::ops::cpu::Kernels kernels = make_kernels(&kAmxMatrix);
  kernels.split = &kAmxSplitMatrix;
  kernels.split_row = amx_matrix::split_row;
  return kernels;
}

}  // namespace

namespace glyph::ops::cpu {

const Kernels* amx_kernels() {
  static constexpr Kernels kernels = make_amx_kernels();
  return &kernels;
}

}  // namespace glyph::ops::cpu
