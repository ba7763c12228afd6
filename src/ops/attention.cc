#include "ops/attention.h"

#include <numeric>

#include "ops/dispatch.h"

namespace glyph::ops {
namespace {

bool is_heads(const Device& device, const ConstTensorView& view, int64_t rows, int64_t heads, int64_t head_dim) {
  return view.rank() == 3 && view.size(0) == rows && view.size(1) == heads && view.size(2) == head_dim &&
         view.stride(2) == 1 && is_float(device, view.dtype());
}

int64_t sum_of(std::span<const int64_t> counts) {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

void check_out(const Device& device, const ConstTensorView& q, const ConstTensorView& out) {
  GLYPH_CHECK(is_heads(device, out, q.size(0), q.size(1), q.size(2)));
  GLYPH_CHECK(out.dtype() == q.dtype() || out.dtype() == DType::kF32);
}

void check_kv(const Device& device, const KvLayer& kv, int64_t num_tokens) {
  GLYPH_CHECK(kv.block_tokens > 0 && kv.block_tokens % 64 == 0 && kv.num_kv_heads > 0 && kv.head_dim > 0 &&
              (is_float(device, kv.dtype) || kv.dtype == DType::kE4M3));
  GLYPH_CHECK(num_tokens <= static_cast<int64_t>(kv.blocks.size()) * kv.block_tokens);
}

void check_query(const Device& device, const ConstTensorView& q, const KvLayer& kv) {
  GLYPH_CHECK(is_heads(device, q, q.size(0), q.size(1), kv.head_dim) && q.size(1) % kv.num_kv_heads == 0);
}

}  // namespace

void full_attention(Device& device, const ConstTensorView& q, const ConstTensorView& k,
                    const ConstTensorView& v, float scale, const TensorView& out,
                    std::span<const int64_t> page_tokens) {
  GLYPH_CHECK(is_heads(device, q, q.size(0), q.size(1), q.size(2)) && is_heads(device, k, k.size(0), q.size(1), q.size(2)));
  GLYPH_CHECK(is_heads(device, v, k.size(0), q.size(1), q.size(2)) && k.dtype() == q.dtype() &&
              v.dtype() == q.dtype());
  GLYPH_CHECK(k.size(0) > 0);
  check_out(device, q, out);
  if (!page_tokens.empty()) GLYPH_CHECK(q.size(0) == k.size(0) && sum_of(page_tokens) == q.size(0));
  const auto each_page = [&](const auto& attend) {
    if (page_tokens.empty()) return attend(q, k, v, out);
    int64_t begin = 0;
    for (const int64_t tokens : page_tokens) {
      const int64_t end = begin + tokens;
      attend(q.rows(begin, end), k.rows(begin, end), v.rows(begin, end), out.rows(begin, end));
      begin = end;
    }
  };
  using View = const ConstTensorView&;
  on_device(
      device,
      [&](CpuDevice& cpu) {
        each_page([&](View pq, View pk, View pv, const TensorView& po) {
          cpu::full_attention(cpu, pq, pk, pv, scale, po);
        });
      },
      [&] {
        each_page([&](View pq, View pk, View pv, const TensorView& po) {
          reference::full_attention(pq, pk, pv, scale, po);
        });
      },
      [&](CudaDevice& cuda) { cuda::full_attention(cuda, q, k, v, scale, out, page_tokens); });
}

void store_kv(Device& device, const ConstTensorView& k, const ConstTensorView& v, int64_t first,
              const KvLayer& kv) {
  GLYPH_CHECK(first >= 0 && is_heads(device, k, k.size(0), kv.num_kv_heads, kv.head_dim));
  GLYPH_CHECK(is_heads(device, v, k.size(0), kv.num_kv_heads, kv.head_dim));
  check_kv(device, kv, first + k.size(0));
  on_device(
      device, [&](CpuDevice& cpu) { cpu::store_kv(cpu, k, v, first, kv); },
      [&] { reference::store_kv(k, v, first, kv); },
      [&](CudaDevice& cuda) { cuda::store_kv(cuda, k, v, first, kv); });
}

void causal_attention(Device& device, const ConstTensorView& q, const KvLayer& kv, int64_t first, float scale,
                      const TensorView& out) {
  GLYPH_CHECK(first >= 0 && (q.dtype() == kv.dtype || kv.dtype == DType::kE4M3));
  check_kv(device, kv, first + q.size(0));
  check_query(device, q, kv);
  check_out(device, q, out);
  on_device(
      device, [&](CpuDevice& cpu) { cpu::causal_attention(cpu, q, kv, first, scale, out); },
      [&] { reference::causal_attention(q, kv, first, scale, out); },
      [&](CudaDevice& cuda) { cuda::causal_attention(cuda, q, kv, first, scale, out); });
}

void decode_attention(Device& device, const ConstTensorView& q, std::span<const DecodeRow> sequences,
                      float scale, const TensorView& out) {
  int64_t num_rows = 0;
  for (const DecodeRow& sequence : sequences) {
    GLYPH_CHECK(sequence.num_rows > 0 && sequence.num_tokens >= sequence.num_rows);
    check_kv(device, sequence.kv, sequence.num_tokens);
    check_query(device, q, sequence.kv);
    num_rows += sequence.num_rows;
  }
  GLYPH_CHECK(q.rank() == 3 && q.size(0) == num_rows);
  if (device.kind() == DeviceKind::kCpu) check_out(device, q, out);
  GLYPH_CHECK(is_heads(device, out, q.size(0), q.size(1), q.size(2)));
  on_device(
      device, [&](CpuDevice& cpu) { cpu::decode_attention(cpu, q, sequences, scale, out); },
      [&] { reference::decode_attention(q, sequences, scale, out); },
      [&](CudaDevice& cuda) {
        if (num_rows == static_cast<int64_t>(sequences.size())) {
          return cuda::decode_attention(cuda, q, sequences, scale, out);
        }
        int64_t row = 0;
        for (const DecodeRow& sequence : sequences) {
          const int64_t end = row + sequence.num_rows;
          cuda::causal_attention(cuda, q.rows(row, end), sequence.kv, sequence.num_tokens - sequence.num_rows, scale,
                                 out.rows(row, end));
          row = end;
        }
      });
}

}  // namespace glyph::ops
