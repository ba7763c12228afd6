// Attention with few query rows a sequence, bound by reading keys and values. Positions are cut into splits;
// the rows of all sequences that hold the same blocks in a split (questions on one document) read it together.
// A row's numbers do not depend on the rows beside it.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ops/cpu/ops.h"
#include "ops/cpu/scratch.h"
#include "ops/cpu/split_attention.h"

namespace glyph::ops::cpu {
namespace {

constexpr int64_t kTaskQueries = 256;  // query vectors of one task, so that many rows are shared out

// A row of q, what it sees, and where what was summed for it begins: (splits, heads) partials.
struct Row {
  int64_t num_visible = 0;
  int64_t first_partial = 0;

  int64_t num_splits() const { return (num_visible + kSplitTokens - 1) / kSplitTokens; }
};

// Rows that hold the same blocks in one split.
struct Group {
  const KvLayer* kv = nullptr;
  int64_t end = 0;  // positions that are stored
  std::vector<int64_t> rows;
};

struct Task {
  const KvLayer* kv = nullptr;
  int64_t kv_head = 0;
  int64_t begin = 0, end = 0;  // positions
  std::vector<int64_t> rows;
};

struct Decode {
  const Kernels& kernels;
  ConstTensorView q;
  TensorView out;
  float scale;
  std::vector<Row> rows;
  std::vector<Task> tasks;
  std::vector<Partial> partials;  // of all rows; each (splits, heads)
  float* sums = nullptr;          // (partials, head_dim)

  int64_t num_heads() const { return q.size(1); }
  int64_t head_dim() const { return q.size(2); }
  int64_t partial(int64_t row, int64_t split, int64_t head) const {
    return rows[static_cast<size_t>(row)].first_partial + split * num_heads() + head;
  }
};

std::span<void* const> blocks_of(const KvLayer& kv, int64_t begin, int64_t end) {
  const int64_t first = begin / kv.block_tokens, last = (end - 1) / kv.block_tokens;
  return kv.blocks.subspan(static_cast<size_t>(first), static_cast<size_t>(last - first + 1));
}

// The groups of one split, sequence by sequence.
std::vector<Group> group_rows(const Decode& decode, std::span<const DecodeRow> sequences, int64_t begin) {
  std::vector<Group> groups;
  int64_t row = 0;
  for (const DecodeRow& sequence : sequences) {
    const int64_t first = row, end = std::min(sequence.num_tokens, begin + kSplitTokens);
    row += sequence.num_rows;
    if (end <= begin) continue;
    const auto same = [&](const Group& group) {
      return std::ranges::equal(blocks_of(*group.kv, begin, group.end), blocks_of(sequence.kv, begin, end));
    };
    auto group = std::find_if(groups.begin(), groups.end(), same);
    if (group == groups.end()) group = groups.insert(groups.end(), Group{.kv = &sequence.kv, .end = end, .rows = {}});
    group->end = std::max(group->end, end);
    for (int64_t i = first; i < row; ++i) {
      if (decode.rows[static_cast<size_t>(i)].num_visible > begin) group->rows.push_back(i);
    }
  }
  return groups;
}

void add_tasks(Decode& decode, const Group& group, int64_t begin) {
  const auto size = static_cast<ptrdiff_t>(
      std::max<int64_t>(1, kTaskQueries * group.kv->num_kv_heads / decode.num_heads()));
  for (auto from = group.rows.begin(); from != group.rows.end();) {
    const auto to = from + std::min(size, group.rows.end() - from);
    for (int64_t head = 0; head < group.kv->num_kv_heads; ++head) {
      decode.tasks.push_back({.kv = group.kv, .kv_head = head, .begin = begin, .end = group.end, .rows = {from, to}});
    }
    from = to;
  }
}

void plan(Decode& decode, std::span<const DecodeRow> sequences) {
  int64_t longest = 0, num_partials = 0;
  for (const DecodeRow& sequence : sequences) {
    longest = std::max(longest, sequence.num_tokens);
    for (int64_t i = 1; i <= sequence.num_rows; ++i) {
      const Row row{.num_visible = sequence.num_tokens - sequence.num_rows + i, .first_partial = num_partials};
      num_partials += row.num_splits() * decode.num_heads();
      decode.rows.push_back(row);
    }
  }
  for (int64_t begin = 0; begin < longest; begin += kSplitTokens) {
    for (const Group& group : group_rows(decode, sequences, begin)) add_tasks(decode, group, begin);
  }
  decode.partials.resize(static_cast<size_t>(num_partials));
  decode.sums = scratch_floats(ScratchUse::kRows, num_partials * decode.head_dim());
}

void run_task(Decode& decode, const Task& task) {
  const int64_t group = decode.num_heads() / task.kv->num_kv_heads, split = task.begin / kSplitTokens;
  const auto num_queries = static_cast<int64_t>(task.rows.size()) * group;
  SplitAttention attention(decode.kernels, *task.kv, task.kv_head, task.begin, task.end);
  std::array<SplitQuery, kMaxSplitQueries> queries;
  for (int64_t first = 0; first < num_queries; first += kMaxSplitQueries) {
    const int64_t count = std::min(kMaxSplitQueries, num_queries - first);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = task.rows[static_cast<size_t>((first + i) / group)];
      const int64_t head = task.kv_head * group + (first + i) % group;
      const int64_t partial = decode.partial(row, split, head);
      queries[static_cast<size_t>(i)] = {
          .q = static_cast<const std::byte*>(decode.q.raw()) +
               (row * decode.q.stride(0) + head * decode.q.stride(1)) *
                   static_cast<int64_t>(size_of(decode.q.dtype())),
          .num_visible = std::min(decode.rows[static_cast<size_t>(row)].num_visible, task.end) - task.begin,
          .partial = &decode.partials[static_cast<size_t>(partial)],
          .sums = decode.sums + partial * decode.head_dim()};
    }
    attention.attend(std::span(queries).first(static_cast<size_t>(count)), decode.q.dtype(), decode.scale);
  }
}

// Adds up the splits of one row.
void combine(const Decode& decode, int64_t index) {
  const Row& row = decode.rows[static_cast<size_t>(index)];
  const int64_t head_dim = decode.head_dim();
  std::vector<float> total(static_cast<size_t>(head_dim));
  for (int64_t head = 0; head < decode.num_heads(); ++head) {
    float max = -std::numeric_limits<float>::infinity(), sum = 0;
    for (int64_t i = 0; i < row.num_splits(); ++i) {
      max = std::max(max, decode.partials[static_cast<size_t>(decode.partial(index, i, head))].max);
    }
    std::fill(total.begin(), total.end(), 0.0f);
    for (int64_t i = 0; i < row.num_splits(); ++i) {
      const int64_t at = decode.partial(index, i, head);
      const Partial& partial = decode.partials[static_cast<size_t>(at)];
      const float factor = std::exp(partial.max - max);
      sum += partial.sum * factor;
      const float* part = decode.sums + at * head_dim;
      for (int64_t d = 0; d < head_dim; ++d) total[static_cast<size_t>(d)] += part[d] * factor;
    }
    auto* to = static_cast<std::byte*>(decode.out.raw()) +
               (index * decode.out.stride(0) + head * decode.out.stride(1)) *
                   static_cast<int64_t>(size_of(decode.out.dtype()));
    decode.kernels.narrow(total.data(), head_dim, 1.0f / sum, to, decode.out.dtype());
  }
}

}  // namespace

void decode_attention(CpuDevice& device, const ConstTensorView& q, std::span<const DecodeRow> sequences,
                      float scale, const TensorView& out) {
  if (sequences.empty()) return;
  Decode decode{.kernels = kernels_for(device.level()),
                .q = q,
                .out = out,
                .scale = scale,
                .rows = {},
                .tasks = {},
                .partials = {}};
  plan(decode, sequences);
  device.threads().parallel_for(decode.tasks.size(), 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) run_task(decode, decode.tasks[i]);
    SplitAttention::end(decode.kernels);
  });
  device.threads().parallel_for(decode.rows.size(), 16, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) combine(decode, static_cast<int64_t>(i));
  });
}

}  // namespace glyph::ops::cpu
