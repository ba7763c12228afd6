// The KV cache: storing rows, and attention with one query row a sequence, which is bound by reading keys and
// values once.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ops/cpu/ops.h"
#include "ops/cpu/scratch.h"

namespace glyph::ops::cpu {
namespace {

constexpr int64_t kSplitTokens = 512;  // positions of one task

// One head's keys or values inside a block.
std::byte* head_data(const KvLayer& kv, int64_t block, int64_t head, size_t offset) {
  return static_cast<std::byte*>(kv.blocks[static_cast<size_t>(block)]) + offset +
         static_cast<size_t>(head * kv.head_dim * kv.block_tokens) * size_of(kv.dtype);
}

// One head's rows [begin, end) of x in the cache's type, dense.
void convert_rows(const Kernels& kernels, const ConstTensorView& x, int64_t head, int64_t begin, int64_t end,
                  DType type, std::byte* to) {
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
    kernels.narrow(wide.data(), head_dim, 1.0f, to, type);
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
               head_data(kv, block, head, kv.value_offset) + token * kv.head_dim * element);
  auto* rows = static_cast<std::byte*>(
      scratch_bytes(ScratchUse::kBlock, static_cast<size_t>((end - begin) * kv.head_dim * element)));
  convert_rows(kernels, k, head, begin, end, kv.dtype, rows);
  std::byte* keys = head_data(kv, block, head, kv.key_offset) + token * element;
  if (kv.dtype == DType::kBF16) {
    scatter_columns(reinterpret_cast<const BF16*>(rows), end - begin, kv.head_dim, kv.block_tokens,
                    reinterpret_cast<BF16*>(keys));
  } else {
    scatter_columns(reinterpret_cast<const float*>(rows), end - begin, kv.head_dim, kv.block_tokens,
                    reinterpret_cast<float*>(keys));
  }
}

// The heads that share one KV head of one sequence, over some of its positions.
struct Split {
  int64_t sequence = 0;
  int64_t kv_head = 0;
  int64_t begin = 0, end = 0;
};

// Per query head: what the splits before it summed, not yet divided.
struct Partial {
  float max = -std::numeric_limits<float>::infinity();
  float sum = 0;
};

struct Decode {
  const Kernels& kernels;
  ConstTensorView q;
  std::span<const DecodeRow> sequences;
  TensorView out;
  float scale;
  std::vector<Split> splits;
  std::vector<Partial> partials;  // (splits, group)
  std::vector<float> sums;        // (splits, group, head_dim)

  int64_t group() const { return q.size(1) / sequences[0].kv.num_kv_heads; }
  int64_t head_dim() const { return q.size(2); }
};

// visit(block, first token in the block, number of tokens, offset from begin)
template <typename Visit>
void for_blocks(const KvLayer& kv, int64_t begin, int64_t end, const Visit& visit) {
  for (int64_t i = begin; i < end;) {
    const int64_t token = i % kv.block_tokens;
    const int64_t count = std::min(end - i, kv.block_tokens - token);
    visit(i / kv.block_tokens, token, count, i - begin);
    i += count;
  }
}

void attend_split(Decode& decode, size_t index) {
  const Split& split = decode.splits[index];
  const KvLayer& kv = decode.sequences[static_cast<size_t>(split.sequence)].kv;
  const int64_t group = decode.group(), head_dim = decode.head_dim(), count = split.end - split.begin;
  const auto element = static_cast<int64_t>(size_of(kv.dtype));
  float* q = scratch_floats(ScratchUse::kBlock, group * (head_dim + kSplitTokens));
  float* scores = q + group * head_dim;
  const ConstTensorView& all = decode.q;
  const int64_t offset = split.sequence * all.stride(0) + split.kv_head * group * all.stride(1);
  for (int64_t h = 0; h < group; ++h) {
    const auto* row = static_cast<const std::byte*>(all.raw()) +
                      (offset + h * all.stride(1)) * static_cast<int64_t>(size_of(all.dtype()));
    decode.kernels.widen(row, all.dtype(), head_dim, q + h * head_dim);
  }
  std::fill_n(scores, group * kSplitTokens, 0.0f);
  for_blocks(kv, split.begin, split.end, [&](int64_t block, int64_t token, int64_t n, int64_t at) {
    const PackSource keys{.data = head_data(kv, block, split.kv_head, kv.key_offset) + token * element,
                          .dtype = kv.dtype,
                          .stride = kv.block_tokens,
                          .count = head_dim,
                          .depth = n};
    decode.kernels.weighted_rows(q, head_dim, static_cast<int>(group), keys, scores + at, kSplitTokens);
  });
  Partial* partials = decode.partials.data() + index * static_cast<size_t>(group);
  float* sums = decode.sums.data() + index * static_cast<size_t>(group * head_dim);
  for (int64_t h = 0; h < group; ++h) {
    float* row = scores + h * kSplitTokens;
    decode.kernels.softmax_step(row, count, count, decode.scale, &partials[h].max, &partials[h].sum, row,
                                DType::kF32);
  }
  for_blocks(kv, split.begin, split.end, [&](int64_t block, int64_t token, int64_t n, int64_t at) {
    const PackSource values{
        .data = head_data(kv, block, split.kv_head, kv.value_offset) + token * head_dim * element,
        .dtype = kv.dtype,
        .stride = head_dim,
        .count = n,
        .depth = head_dim};
    decode.kernels.weighted_rows(scores + at, kSplitTokens, static_cast<int>(group), values, sums, head_dim);
  });
}

// Adds up the splits [begin, end) of one KV head of one sequence.
void combine(Decode& decode, size_t begin, size_t end) {
  const auto group = static_cast<size_t>(decode.group()), head_dim = static_cast<size_t>(decode.head_dim());
  std::vector<float> total(head_dim);
  for (size_t h = 0; h < group; ++h) {
    float max = -std::numeric_limits<float>::infinity(), sum = 0;
    for (size_t i = begin; i < end; ++i) max = std::max(max, decode.partials[i * group + h].max);
    std::fill(total.begin(), total.end(), 0.0f);
    for (size_t i = begin; i < end; ++i) {
      const float factor = std::exp(decode.partials[i * group + h].max - max);
      sum += decode.partials[i * group + h].sum * factor;
      const float* part = decode.sums.data() + (i * group + h) * head_dim;
      for (size_t d = 0; d < head_dim; ++d) total[d] += part[d] * factor;
    }
    const Split& split = decode.splits[begin];
    const int64_t head = split.kv_head * static_cast<int64_t>(group) + static_cast<int64_t>(h);
    auto* to = static_cast<std::byte*>(decode.out.raw()) +
               (split.sequence * decode.out.stride(0) + head * decode.out.stride(1)) *
                   static_cast<int64_t>(size_of(decode.out.dtype()));
    decode.kernels.narrow(total.data(), static_cast<int64_t>(head_dim), 1.0f / sum, to, decode.out.dtype());
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

void decode_attention(CpuDevice& device, const ConstTensorView& q, std::span<const DecodeRow> sequences,
                      float scale, const TensorView& out) {
  if (sequences.empty()) return;
  Decode decode{.kernels = kernels_for(device.level()),
                .q = q,
                .sequences = sequences,
                .out = out,
                .scale = scale,
                .splits = {},
                .partials = {},
                .sums = {}};
  std::vector<size_t> starts;  // first split of each KV head of each sequence
  for (size_t s = 0; s < sequences.size(); ++s) {
    for (int64_t head = 0; head < sequences[s].kv.num_kv_heads; ++head) {
      starts.push_back(decode.splits.size());
      for (int64_t i = 0; i < sequences[s].num_tokens; i += kSplitTokens) {
        decode.splits.push_back(
            {static_cast<int64_t>(s), head, i, std::min(sequences[s].num_tokens, i + kSplitTokens)});
      }
    }
  }
  starts.push_back(decode.splits.size());
  const size_t heads = decode.splits.size() * static_cast<size_t>(decode.group());
  decode.partials.resize(heads);
  decode.sums.assign(heads * static_cast<size_t>(decode.head_dim()), 0.0f);
  device.threads().parallel_for(decode.splits.size(), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) attend_split(decode, i);
  });
  for (size_t i = 0; i + 1 < starts.size(); ++i) combine(decode, starts[i], starts[i + 1]);
}

}  // namespace glyph::ops::cpu
