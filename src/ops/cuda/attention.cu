// Attention of many query rows: pages, and chunks of a sequence over its cache.
#include <numeric>

#include "ops/cuda/attention_combine.cuh"
#include "ops/cuda/attention_flash.cuh"
#include "ops/cuda/attention_hopper.h"
#include "ops/cuda/attention_launch.cuh"
#include "ops/cuda/attention_pages.h"
#include "ops/cuda/attention_plain.cuh"
#include "ops/cuda/attention_widen.h"
#include "ops/cuda/ops.h"

namespace glyph::ops::cuda {
namespace {

constexpr int kPlainRows = 64;      // query rows of a block up to head size 128
constexpr int kPlainRowsWide = 16;  // above

int plain_rows(int head_dim) { return head_dim <= 128 ? kPlainRows : kPlainRowsWide; }

// Calls run(kernel) with the kernel for the problem's head size.
template <typename Problem, typename Run>
void choose_plain(int head_dim, const Run& run) {
  if (head_dim <= 64) return run(plain_attention<kPlainRows / 16, 1, Problem>);
  if (head_dim <= 128) return run(plain_attention<kPlainRows / 16, 2, Problem>);
  run(plain_attention<kPlainRowsWide / 16, 4, Problem>);
}
template <typename Problem, typename Run>
void choose_flash(int head_dim, const Run& run) {
  if (head_dim == 32) return run(flash_attention<32, Problem>);
  if (head_dim == 64) return run(flash_attention<64, Problem>);
  run(flash_attention<128, Problem>);
}

// A row of tiles for each page; returns how many there are.
int64_t lay_out(PageTable& table, std::span<const int64_t> page_tokens, int64_t tile_rows) {
  int64_t row = 0, tile = 0;
  int page = 0;
  for (const int64_t tokens : page_tokens) {
    table.first_row[page] = static_cast<int>(row);
    table.first_tile[page++] = static_cast<int>(tile);
    row += tokens;
    tile += divide_up(tokens, tile_rows);
  }
  table.first_row[page] = static_cast<int>(row);
  table.first_tile[page] = static_cast<int>(tile);
  table.num_pages = page;
  return tile;
}

template <typename T>
void attend_table(CudaDevice& device, const ConstTensorView& q, const ConstTensorView& k,
                  const ConstTensorView& v, float scale, const TensorView& out,
                  std::span<const int64_t> page_tokens) {
  const int head_dim = static_cast<int>(q.size(2));
  const bool tensor_cores =
      !std::is_same_v<T, float> && suits_tensor_cores(q) && is_aligned(k, 8) && is_aligned(v, 8);
  PagesProblem<T> problem{.q = head_rows<T>(q),
                          .k = head_rows<T>(k),
                          .v = head_rows<T>(v),
                          .out = output_of(out),
                          .scale_log2 = scale * kLog2E,
                          .head_dim = head_dim,
                          .vectors = is_aligned(q, 4) && is_aligned(k, 4) && is_aligned(v, 4),
                          .pages = {}};
  const int rows = tensor_cores ? kFlashRows : plain_rows(head_dim);
  const int64_t tiles = lay_out(problem.pages, page_tokens, rows);
  if (tiles == 0) return;
  const dim3 grid(count_of(tiles), count_of(q.size(1)));
  if constexpr (!std::is_same_v<T, float>) {
    if (tensor_cores) {
      if (attend_on_hopper(device, grid, problem)) return;
      return choose_flash<PagesProblem<T>>(head_dim, [&](auto kernel) {
        launch(device, "flash_attention", kernel, {grid, kFlashThreads, flash_shared_bytes(head_dim)},
               problem);
      });
    }
  }
  choose_plain<PagesProblem<T>>(head_dim, [&](auto kernel) {
    launch(device, "plain_attention", kernel, {grid, kPlainThreads, plain_shared_bytes(rows, head_dim)},
           problem);
  });
}

// Splits of the keys that keep the GPU busy where there are few rows; each has 512 keys at least.
int splits_of(CudaDevice& device, int64_t num_blocks, int64_t num_keys) {
  const int64_t possible = std::min<int64_t>(divide_up(num_keys, 512), kMaxSplits);
  return static_cast<int>(std::clamp<int64_t>(device.num_multiprocessors() / num_blocks, 1, possible));
}

template <typename T>
void attend_cached(CudaDevice& device, const ConstTensorView& q, const KvLayer& kv, int64_t first,
                   float scale, const TensorView& out) {
  const int head_dim = static_cast<int>(q.size(2));
  const int64_t group = q.size(1) / kv.num_kv_heads;
  const bool tensor_cores = !std::is_same_v<T, float> && suits_tensor_cores(q);
  const int rows = tensor_cores ? kFlashRows : plain_rows(head_dim);
  const int64_t tiles = divide_up(q.size(0) * group, rows);
  const int splits = splits_of(device, tiles * kv.num_kv_heads, first + q.size(0));
  const BlockTable table(device, kv, first + q.size(0));
  const DeviceMemory scratch = splits > 1 ? device.allocate(partial_bytes(q, splits)) : DeviceMemory();
  const CausalProblem<T> problem{.q = head_rows<T>(q),
                                 .out = output_of(out),
                                 .partials = partials_in(scratch.get(), q, splits),
                                 .scale_log2 = scale * kLog2E,
                                 .head_dim = head_dim,
                                 .vectors = is_aligned(q, 4),
                                 .kv = geometry_of(kv),
                                 .blocks = table.blocks(),
                                 .num_rows = static_cast<int>(q.size(0)),
                                 .first = static_cast<int>(first),
                                 .group = static_cast<int>(group)};
  const dim3 grid(count_of(kv.num_kv_heads), count_of(tiles), count_of(splits));
  bool done = false;
  if constexpr (!std::is_same_v<T, float>) {
    if (tensor_cores && !attend_on_hopper(device, grid, problem)) {
      choose_flash<CausalProblem<T>>(head_dim, [&](auto kernel) {
        launch(device, "flash_attention", kernel, {grid, kFlashThreads, flash_shared_bytes(head_dim)},
               problem);
      });
    }
    done = tensor_cores;
  }
  if (!done) {
    choose_plain<CausalProblem<T>>(head_dim, [&](auto kernel) {
      launch(device, "plain_attention", kernel, {grid, kPlainThreads, plain_shared_bytes(rows, head_dim)},
             problem);
    });
  }
  combine(device, q, problem);
}

}  // namespace

void attend_pages(CudaDevice& device, const ConstTensorView& q, const ConstTensorView& k,
                  const ConstTensorView& v, float scale, const TensorView& out,
                  std::span<const int64_t> page_tokens) {
  check_head_dim(q.size(2));
  int64_t first = 0;
  while (!page_tokens.empty()) {
    const auto some = page_tokens.first(std::min<size_t>(page_tokens.size(), PageTable::kMaxPages));
    page_tokens = page_tokens.subspan(some.size());
    const int64_t end = std::accumulate(some.begin(), some.end(), first);
    const auto attend = q.dtype() == DType::kBF16  ? attend_table<__nv_bfloat16>
                        : q.dtype() == DType::kF16 ? attend_table<__half>
                                                   : attend_table<float>;
    attend(device, q.rows(first, end), k.rows(first, end), v.rows(first, end), scale, out.rows(first, end),
           some);
    first = end;
  }
}

void causal_attention(CudaDevice& device, const ConstTensorView& q, const KvLayer& kv, int64_t first,
                      float scale, const TensorView& out) {
  GLYPH_CHECK(scale > 0 && kv.block_tokens % 64 == 0);
  check_head_dim(q.size(2));
  if (q.size(0) == 0) return;
  const auto attend = q.dtype() == DType::kBF16  ? attend_cached<__nv_bfloat16>
                      : q.dtype() == DType::kF16 ? attend_cached<__half>
                                                 : attend_cached<float>;
  if (kv.dtype == DType::kE4M3) {
    // Every tile of query rows reads all keys before it: they are widened once for all.
    const WideKv wide(device, kv, first + q.size(0), q.dtype());
    return attend(device, q, wide.layer(), first, scale, out);
  }
  attend(device, q, kv, first, scale, out);
}

}  // namespace glyph::ops::cuda
