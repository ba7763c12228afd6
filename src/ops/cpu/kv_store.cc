// Stores rows of keys and values in the blocks of a KV cache.
#include <algorithm>
#include <vector>

#include "ops/cpu/narrow_kv.h"
#include "ops/cpu/ops.h"
#include "ops/cpu/scratch.h"

namespace glyph::ops::cpu {
namespace {

// One head's keys or values inside a block.
std::byte* head_data(const KvLayer& kv, int64_t block, int64_t head, size_t offset) {
  return static_cast<std::byte*>(kv.blocks[static_cast<size_t>(block)]) + offset +
         static_cast<size_t>(head * kv.head_dim * kv.block_tokens) * size_of(kv.dtype);
}

// Scales of one head's keys or values inside a block of e4m3.
float* head_scales(const KvLayer& kv, int64_t block, int64_t head, size_t offset) {
  auto* half = static_cast<std::byte*>(kv.blocks[static_cast<size_t>(block)]) + offset;
  return reinterpret_cast<float*>(half + kv.scale_offset()) + head * kv.block_tokens;
}

// One head's rows [begin, end) of x in the cache's type, dense; of e4m3 with a scale each.
void convert_rows(const Kernels& kernels, const ConstTensorView& x, int64_t head, int64_t begin, int64_t end,
                  DType type, std::byte* to, float* scales) {
  const int64_t head_dim = x.size(2);
  const auto in_size = static_cast<int64_t>(size_of(x.dtype())),
             out_size = static_cast<int64_t>(size_of(type));
  std::vector<float> wide(static_cast<size_t>(head_dim));
  for (int64_t i = begin; i < end; ++i, to += head_dim * out_size) {
    const auto* row =
        static_cast<const std::byte*>(x.raw()) + (i * x.stride(0) + head * x.stride(1)) * in_size;
    if (x.dtype() == type) {
      std::copy_n(row, head_dim * out_size, to);
      continue;
    }
    kernels.widen(row, x.dtype(), head_dim, wide.data());
    if (type == DType::kE4M3) *scales++ = narrow_row(wide.data(), head_dim, reinterpret_cast<E4M3*>(to));
    else kernels.narrow(wide.data(), head_dim, 1.0f, to, type);
  }
}

template <typename T>
void scatter_columns(const T* rows, int64_t num_rows, int64_t head_dim, int64_t block_tokens, T* to) {
  for (int64_t d = 0; d < head_dim; ++d) {
    for (int64_t i = 0; i < num_rows; ++i) to[d * block_tokens + i] = rows[i * head_dim + d];
  }
}

// Rows [begin, end) of k and v, which all fall into one block, from position `first` on.
void store_in_block(const Kernels& kernels, const ConstTensorView& k, const ConstTensorView& v, int64_t head,
                    int64_t begin, int64_t end, int64_t first, const KvLayer& kv) {
  const int64_t block = first / kv.block_tokens, token = first % kv.block_tokens;
  const auto element = static_cast<int64_t>(size_of(kv.dtype));
  convert_rows(kernels, v, head, begin, end, kv.dtype,
               head_data(kv, block, head, kv.value_offset) + token * kv.head_dim * element,
               head_scales(kv, block, head, kv.value_offset) + token);
  auto* rows = static_cast<std::byte*>(
      scratch_bytes(ScratchUse::kBlock, static_cast<size_t>((end - begin) * kv.head_dim * element)));
  convert_rows(kernels, k, head, begin, end, kv.dtype, rows, head_scales(kv, block, head, kv.key_offset) + token);
  std::byte* keys = head_data(kv, block, head, kv.key_offset) + token * element;
  if (kv.dtype == DType::kE4M3) {
    scatter_columns(reinterpret_cast<const E4M3*>(rows), end - begin, kv.head_dim, kv.block_tokens, reinterpret_cast<E4M3*>(keys));
  } else if (kv.dtype == DType::kBF16) {
    scatter_columns(reinterpret_cast<const BF16*>(rows), end - begin, kv.head_dim, kv.block_tokens,
                    reinterpret_cast<BF16*>(keys));
  } else {
    scatter_columns(reinterpret_cast<const float*>(rows), end - begin, kv.head_dim, kv.block_tokens,
                    reinterpret_cast<float*>(keys));
  }
}

}  // namespace

void store_kv(CpuDevice& device, const ConstTensorView& k, const ConstTensorView& v, int64_t first,
              const KvLayer& kv) {
  const Kernels& kernels = kernels_for(device.level());
  const int64_t count = k.size(0);
  if (count == 0) return;
  const int64_t first_block = first / kv.block_tokens;
  const int64_t num_blocks = (first + count - 1) / kv.block_tokens - first_block + 1;
  const auto store = [&](size_t begin, size_t end) {
    for (size_t task = begin; task < end; ++task) {
      const int64_t block = first_block + static_cast<int64_t>(task) / kv.num_kv_heads;
      const int64_t from = std::max(first, block * kv.block_tokens),
                    to = std::min(first + count, (block + 1) * kv.block_tokens);
      store_in_block(kernels, k, v, static_cast<int64_t>(task) % kv.num_kv_heads, from - first, to - first,
                     from, kv);
    }
  };
  // One row is not worth waking a thread for.
  const auto num_tasks = static_cast<size_t>(num_blocks * kv.num_kv_heads);
  device.threads().parallel_for(num_tasks, count < 16 ? num_tasks : 1, store);
}

}  // namespace glyph::ops::cpu
