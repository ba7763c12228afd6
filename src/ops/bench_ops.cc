#include "ops/bench_ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "ops/attention.h"
#include "ops/linear.h"
#include "tensor/tensor.h"

namespace glyph::ops {
namespace {

using Clock = std::chrono::steady_clock;

// Numbers that neither vanish nor overflow; cheap, because matrices of the 9B are large.
Tensor make(Device& device, DType type, const Shape& shape) {
  Tensor tensor(device, type, shape);
  uint32_t state = 12345;
  for (int64_t i = 0; i < shape.num_elements(); ++i) {
    state = state * 1664525u + 1013904223u;
    const float value = static_cast<float>(state >> 8) * 0x1p-24f - 0.5f;
    if (type == DType::kBF16) {
      tensor.data<BF16>()[i] = to_bf16(value);
    } else {
      tensor.data<float>()[i] = value;
    }
  }
  return tensor;
}

struct Work {
  double flop = 0;
  double bytes = 0;
};

OpSpeed measure(std::string op, std::string shape, const Work& work, double seconds_per_op,
                const std::function<void()>& run) {
  run();
  double best = 1e30;
  const auto start = Clock::now();
  do {
    const auto before = Clock::now();
    run();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - before).count());
  } while (std::chrono::duration<double>(Clock::now() - start).count() < seconds_per_op);
  return {std::move(op), std::move(shape), best, work.flop / best * 1e-9, work.bytes / best * 1e-9};
}

struct LinearShape {
  int64_t rows, inputs, outputs;
};

OpSpeed bench_linear(Device& device, const LinearShape& s, DType type, double seconds_per_op) {
  const Tensor x = make(device, type, {s.rows, s.inputs}), weight = make(device, type, {s.outputs, s.inputs});
  Tensor out(device, DType::kF32, {s.rows, s.outputs});
  const auto rows = static_cast<double>(s.rows), inputs = static_cast<double>(s.inputs),
             outputs = static_cast<double>(s.outputs);
  const auto element = static_cast<double>(size_of(type));
  const Work work{.flop = 2 * rows * inputs * outputs,
                  .bytes = element * (inputs * outputs + rows * inputs) + 4 * rows * outputs};
  return measure("linear", fmt::format("{} x {} x {} {}", s.rows, s.inputs, s.outputs, name_of(type)), work,
                 seconds_per_op,
                 [&] { linear(device, x.view(), {.weight = weight.view(), .bias = {}}, out.view()); });
}

struct HeadShape {
  int64_t tokens, heads, head_dim;
};

OpSpeed bench_full_attention(Device& device, const HeadShape& s, DType type, double seconds_per_op) {
  const Tensor q = make(device, type, {s.tokens, s.heads, s.head_dim}), k = q.copy(device),
               v = q.copy(device);
  Tensor out(device, type, {s.tokens, s.heads, s.head_dim});
  const auto elements = static_cast<double>(s.tokens * s.heads * s.head_dim);
  const Work work{.flop = 4 * elements * static_cast<double>(s.tokens),
                  .bytes = 4 * elements * static_cast<double>(size_of(type))};
  return measure("full_attention",
                 fmt::format("{} tokens, {} heads of {} {}", s.tokens, s.heads, s.head_dim, name_of(type)),
                 work, seconds_per_op,
                 [&] { full_attention(device, q.view(), k.view(), v.view(), 0.125f, out.view()); });
}

OpSpeed bench_decode_attention(Device& device, const HeadShape& s, int64_t kv_heads, DType type,
                               double seconds_per_op) {
  const int64_t block_tokens = 64, half = kv_heads * s.head_dim * block_tokens;
  std::vector<Tensor> memory;
  std::vector<void*> blocks;
  for (int64_t i = 0; i * block_tokens < s.tokens; ++i) {
    memory.push_back(make(device, type, {2 * half}));
    blocks.push_back(memory.back().view().raw());
  }
  const DecodeRow row{.kv = {.blocks = blocks,
                             .key_offset = 0,
                             .value_offset = static_cast<size_t>(half) * size_of(type),
                             .block_tokens = block_tokens,
                             .num_kv_heads = kv_heads,
                             .head_dim = s.head_dim,
                             .dtype = type},
                      .num_tokens = s.tokens};
  const Tensor q = make(device, type, {1, s.heads, s.head_dim});
  Tensor out(device, DType::kF32, {1, s.heads, s.head_dim});
  const auto elements = static_cast<double>(s.tokens * s.head_dim);
  const Work work{.flop = 4 * elements * static_cast<double>(s.heads),
                  .bytes = 2 * elements * static_cast<double>(kv_heads) * static_cast<double>(size_of(type))};
  return measure(
      "decode_attention",
      fmt::format("{} tokens, {}/{} heads of {} {}", s.tokens, s.heads, kv_heads, s.head_dim, name_of(type)),
      work, seconds_per_op,
      [&] { decode_attention(device, q.view(), std::span(&row, 1), 0.125f, out.view()); });
}

}  // namespace

std::vector<OpSpeed> bench_ops(Device& device, const BenchOpsOptions& options) {
  // One page of 2,520 patches in a small model and in the 9B, a chunk of a prompt, one row and eight rows of
  // decode.
  constexpr LinearShape kLinears[] = {
      {2520, 384, 1152},  {2520, 384, 1024}, {2520, 512, 384}, {1024, 512, 2816}, {1024, 1408, 512},
      {2520, 1536, 4608}, {1, 512, 2816},    {1, 512, 4096},   {8, 512, 2816},    {1, 4096, 27392}};
  constexpr HeadShape kPages[] = {{2520, 6, 64}, {2520, 12, 128}};
  std::vector<DType> types{DType::kF32};
  if (options.bf16 && device.prefers_bf16()) types.push_back(DType::kBF16);
  std::vector<OpSpeed> speeds;
  for (const DType type : types) {
    for (const LinearShape& shape : kLinears)
      speeds.push_back(bench_linear(device, shape, type, options.seconds_per_op));
    for (const HeadShape& shape : kPages)
      speeds.push_back(bench_full_attention(device, shape, type, options.seconds_per_op));
    speeds.push_back(bench_decode_attention(device, {6400, 8, 64}, 2, type, options.seconds_per_op));
  }
  return speeds;
}

}  // namespace glyph::ops
