#include "ops/cpu/narrow_kv.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "ops/cpu/scratch.h"

namespace glyph::ops::cpu {
namespace {

std::array<float, 256> make_values() {
  std::array<float, 256> values{};
  for (size_t i = 0; i < values.size(); ++i) values[i] = to_float(E4M3{static_cast<uint8_t>(i)});
  return values;
}

// By their bits.
const std::array<float, 256> kValues = make_values();

}  // namespace

float narrow_row(const float* x, int64_t n, E4M3* to) {
  float largest = 0;
  bool broken = false;
  for (int64_t i = 0; i < n; ++i) {
    largest = std::max(largest, std::abs(x[i]));
    broken = broken || std::isnan(x[i]);
  }
  const float factor = e4m3_factor(largest);
  for (int64_t i = 0; i < n; ++i) to[i] = to_e4m3(x[i] * factor);
  return broken ? std::numeric_limits<float>::quiet_NaN() : largest / kLargestE4M3;
}

WideKv::WideKv(const Kernels& kernels, const KvLayer& kv, const KvPiece& piece, DType type) {
  const int64_t tokens = ceil_div(piece.count, kPieceKeys) * kPieceKeys;
  const size_t half = kv_half_bytes(1, tokens, kv.head_dim, type);
  block_ = scratch_bytes(ScratchUse::kWideKv, 2 * half);
  layer_ = {.blocks = {&block_, 1},
            .device_blocks = nullptr,
            .key_offset = 0,
            .value_offset = half,
            .block_tokens = tokens,
            .num_kv_heads = 1,
            .head_dim = kv.head_dim,
            .dtype = type};
  for (int64_t i = 0; i < piece.count; i += kPieceKeys) {
    widen(kernels, kv, {piece.kv_head, piece.first + i, std::min(kPieceKeys, piece.count - i)}, i);
  }
}

// Part of one block, to position `to`.
void WideKv::widen(const Kernels& kernels, const KvLayer& kv, const KvPiece& part, int64_t to) {
  const auto* block = static_cast<const std::byte*>(kv.blocks[static_cast<size_t>(part.first / kv.block_tokens)]);
  const int64_t token = part.first % kv.block_tokens, first_row = part.kv_head * kv.block_tokens + token;
  const auto scales_at = [&](size_t offset) { return reinterpret_cast<const float*>(block + offset + kv.scale_offset()) + first_row; };
  const auto* keys = reinterpret_cast<const E4M3*>(block + kv.key_offset) + part.kv_head * kv.block_tokens * kv.head_dim + token;
  const auto* values = reinterpret_cast<const E4M3*>(block + kv.value_offset) + first_row * kv.head_dim;
  const float *key_scales = scales_at(kv.key_offset), *value_scales = scales_at(kv.value_offset);
  const auto element = static_cast<int64_t>(size_of(layer_.dtype));
  auto* const wide = static_cast<std::byte*>(block_);

  std::array<float, kPieceKeys> column;
  for (int64_t d = 0; d < kv.head_dim; ++d, keys += kv.block_tokens) {
    for (int64_t i = 0; i < part.count; ++i) column[static_cast<size_t>(i)] = kValues[keys[i].bits] * key_scales[i];
    kernels.narrow(column.data(), part.count, 1.0f, wide + (d * layer_.block_tokens + to) * element, layer_.dtype);
  }
  for (int64_t i = 0; i < part.count; ++i, values += kv.head_dim) {
    std::byte* row = wide + layer_.value_offset + static_cast<size_t>((to + i) * kv.head_dim * element);
    for (int64_t d = 0; d < kv.head_dim; d += kPieceKeys) {
      const int64_t count = std::min(kPieceKeys, kv.head_dim - d);
      for (int64_t j = 0; j < count; ++j) column[static_cast<size_t>(j)] = kValues[values[d + j].bits];
      kernels.narrow(column.data(), count, value_scales[i], row + d * element, layer_.dtype);
    }
  }
}

}  // namespace glyph::ops::cpu
