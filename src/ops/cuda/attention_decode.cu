// One query row a sequence over paged KV, and storing new keys and values.
#include <vector>

#include "ops/cuda/attention_combine.cuh"
#include "ops/cuda/attention_decode.cuh"
#include "ops/cuda/attention_launch.cuh"
#include "ops/cuda/attention_plain.cuh"
#include "ops/cuda/attention_store.cuh"
#include "ops/cuda/ops.h"

namespace glyph::ops::cuda {
namespace {

constexpr int kRows = 16;  // query heads of a block, whichever kernel

bool on_tensor_cores(const ConstTensorView& q, const DecodeTable& table) {
  const int64_t head_dim = q.size(2);
  return table.dtype != DType::kF32 && (head_dim == 32 || head_dim == 64 || head_dim == 128) &&
         is_aligned(q, 2);
}

// (KV heads) x (tiles of the query heads that share one)
int64_t tiles_of_sequence(const ConstTensorView& q, const DecodeTable& table) {
  return table.kv.num_kv_heads * divide_up(q.size(1) / table.kv.num_kv_heads, kRows);
}

// So many that blocks fill the GPU, two a multiprocessor at a time: one round of them for one sequence, two
// for several, whose lengths differ. A split has 128 keys at least: fewer are read in no less time, and each
// leaves results to combine.
int splits_of(CudaDevice& device, const ConstTensorView& q, const DecodeTable& table) {
  const int64_t rounds = q.size(0) == 1 ? 1 : 2, blocks = 2 * rounds * device.num_multiprocessors();
  const int64_t wanted = blocks / (q.size(0) * tiles_of_sequence(q, table));
  const int64_t possible = std::min<int64_t>(divide_up(table.max_tokens, 128), kMaxSplits);
  return static_cast<int>(std::max<int64_t>(1, std::min(wanted, possible)));
}

template <typename Problem, typename Run>
void choose_plain(int head_dim, const Run& run) {
  if (head_dim <= 64) return run(plain_attention<kRows / 16, 1, Problem>);
  if (head_dim <= 128) return run(plain_attention<kRows / 16, 2, Problem>);
  run(plain_attention<kRows / 16, 4, Problem>);
}
template <typename Q, typename T, typename Run>
void choose_tensor_cores(int head_dim, const Run& run) {
  if (head_dim == 32) return run(decode_on_tensor_cores<32, Q, T>, decode_shared_bytes<32, T>());
  if (head_dim == 64) return run(decode_on_tensor_cores<64, Q, T>, decode_shared_bytes<64, T>());
  run(decode_on_tensor_cores<128, Q, T>, decode_shared_bytes<128, T>());
}

template <typename Q, typename T>
void attend(CudaDevice& device, const ConstTensorView& q, const DecodeTable& table, float scale,
            void* scratch, const TensorView& out) {
  const int head_dim = static_cast<int>(q.size(2)), splits = splits_of(device, q, table);
  const DecodeProblem<Q, T> problem{.q = head_rows<Q>(q),
                                    .out = output_of(out),
                                    .partials = partials_in(scratch, q, splits),
                                    .scale_log2 = scale * kLog2E,
                                    .head_dim = head_dim,
                                    .vectors = is_aligned(q, 4),
                                    .kv = table.kv,
                                    .sequences = table.sequences,
                                    .group = static_cast<int>(q.size(1) / table.kv.num_kv_heads)};
  const dim3 grid(count_of(splits), count_of(tiles_of_sequence(q, table)), count_of(q.size(0)));
  bool done = false;
  if constexpr (!std::is_same_v<T, float>) {
    if (on_tensor_cores(q, table)) {
      choose_tensor_cores<Q, T>(head_dim, [&](auto kernel, size_t shared_bytes) {
        launch(device, "decode_attention", kernel, {grid, kDecodeThreads, shared_bytes, Start::kRecorded}, problem);
      });
      done = true;
    }
  }
  if (!done) {
    choose_plain<DecodeProblem<Q, T>>(head_dim, [&](auto kernel) {
      launch(device, "decode_attention", kernel, {grid, kPlainThreads, plain_shared_bytes(kRows, head_dim)},
             problem);
    });
  }
  combine(device, q, problem);
}

// The sequences of a call in device memory, with the block tables of those that have none there.
class UploadedSequences {
 public:
  UploadedSequences(CudaDevice& device, std::span<const DecodeRow> rows) {
    std::vector<DecodeSequence> sequences;
    std::vector<const void*> pointers;
    for (const DecodeRow& row : rows) {
      sequences.push_back({row.kv.device_blocks, row.num_tokens});
      if (row.kv.device_blocks != nullptr) continue;
      const auto used =
          row.kv.blocks.first(static_cast<size_t>(divide_up(row.num_tokens, row.kv.block_tokens)));
      pointers.insert(pointers.end(), used.begin(), used.end());
    }
    const size_t sequence_bytes = sequences.size() * sizeof(DecodeSequence);
    const size_t pointer_bytes = pointers.size() * sizeof(void*);
    memory_ = device.allocate(sequence_bytes + pointer_bytes);
    if (memory_ == nullptr) return;
    auto* const bytes = static_cast<std::byte*>(memory_.get());
    auto* next = reinterpret_cast<const void* const*>(bytes + sequence_bytes);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (sequences[i].blocks != nullptr) continue;
      sequences[i].blocks = next;
      next += divide_up(rows[i].num_tokens, rows[i].kv.block_tokens);
    }
    device.upload(bytes, sequences.data(), sequence_bytes);
    if (pointer_bytes > 0) device.upload(bytes + sequence_bytes, pointers.data(), pointer_bytes);
  }
  const DecodeSequence* get() const { return static_cast<const DecodeSequence*>(memory_.get()); }

 private:
  DeviceMemory memory_;
};

bool alike(const KvLayer& a, const KvLayer& b) {
  return a.key_offset == b.key_offset && a.value_offset == b.value_offset &&
         a.block_tokens == b.block_tokens && a.num_kv_heads == b.num_kv_heads && a.head_dim == b.head_dim &&
         a.dtype == b.dtype;
}

// How many sequences at the beginning lie in blocks of one layout.
size_t count_alike(std::span<const DecodeRow> rows) {
  size_t n = 1;
  while (n < rows.size() && alike(rows[0].kv, rows[n].kv)) ++n;
  return n;
}

void attend_alike(CudaDevice& device, const ConstTensorView& q, std::span<const DecodeRow> rows, float scale,
                  const TensorView& out) {
  const UploadedSequences sequences(device, rows);
  DecodeTable table{.sequences = sequences.get(),
                    .max_tokens = 0,
                    .kv = geometry_of(rows[0].kv),
                    .dtype = rows[0].kv.dtype};
  for (const DecodeRow& row : rows) table.max_tokens = std::max(table.max_tokens, row.num_tokens);
  const DeviceMemory scratch = device.allocate(decode_scratch_bytes(device, q, table));
  decode_attention(device, q, table, scale, scratch.get(), out);
}

StoreSource source_of(const ConstTensorView& x) {
  return {x.raw(), x.stride(0), x.stride(1), x.dtype()};
}

// Whether rows can be copied by 16 bytes.
bool copies(const StoreProblem& problem) {
  const auto bytes = static_cast<int64_t>(size_of(problem.type));
  const auto suits = [&](const StoreSource& x) {
    return x.type == problem.type && reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && x.row_stride * bytes % 16 == 0 &&
           x.head_stride * bytes % 16 == 0;
  };
  const KvGeometry& kv = problem.kv;
  return problem.type != DType::kE4M3 && suits(problem.k) && suits(problem.v) && kv.head_dim * bytes % 16 == 0 &&
         kv.key_offset % 16 == 0 && kv.value_offset % 16 == 0;
}

bool store_many(CudaDevice& device, const StoreProblem& problem, int64_t rows) {
  constexpr int64_t kManyRows = 64, kMaxPieces = int64_t{1} << 31;
  if (rows < kManyRows || problem.sequences != nullptr || !copies(problem)) return false;
  const int64_t of_head = problem.kv.head_dim * static_cast<int64_t>(size_of(problem.type)) / 16;
  const int64_t count = rows * 2 * problem.kv.num_kv_heads * of_head;
  if (count > kMaxPieces) return false;
  launch(device, "store_kv", store_many_rows, {count_of(divide_up(count, kStoreThreads)), kStoreThreads}, problem, count_of(of_head),
         count_of(count));
  return true;
}

void store(CudaDevice& device, const StoreProblem& problem, int64_t rows) {
  if (store_many(device, problem, rows)) return;
  if (rows > 0) launch(device, "store_kv", store_rows, {count_of(rows), kStoreThreads, 0, Start::kRecorded}, problem);
}

}  // namespace

size_t decode_scratch_bytes(CudaDevice& device, const ConstTensorView& q, const DecodeTable& table) {
  return partial_bytes(q, splits_of(device, q, table));
}

void decode_attention(CudaDevice& device, const ConstTensorView& q, const DecodeTable& table, float scale,
                      void* scratch, const TensorView& out) {
  GLYPH_CHECK(scale > 0 && table.kv.block_tokens % 64 == 0 && q.size(2) == table.kv.head_dim);
  check_head_dim(q.size(2));
  if (q.size(0) == 0 || scratch == nullptr || table.sequences == nullptr) return;
  const auto with_kv = [&]<typename T>(T) {
    const bool wide_q = q.dtype() == DType::kF32;
    GLYPH_CHECK(wide_q || table.dtype == DType::kF32 || table.dtype == DType::kE4M3 || q.dtype() == table.dtype);
    if (wide_q) return attend<float, T>(device, q, table, scale, scratch, out);
    if (q.dtype() == DType::kF16) return attend<__half, T>(device, q, table, scale, scratch, out);
    attend<__nv_bfloat16, T>(device, q, table, scale, scratch, out);
  };
  if (table.dtype == DType::kF32) return with_kv(float{});
  if (table.dtype == DType::kF16) return with_kv(__half{});
  if (table.dtype == DType::kE4M3) return with_kv(E4M3{});
  with_kv(__nv_bfloat16{});
}

void decode_attention(CudaDevice& device, const ConstTensorView& q, std::span<const DecodeRow> sequences,
                      float scale, const TensorView& out) {
  int64_t row = 0;
  while (!sequences.empty()) {
    const size_t n = count_alike(sequences);
    const int64_t end = row + static_cast<int64_t>(n);
    attend_alike(device, q.rows(row, end), sequences.first(n), scale, out.rows(row, end));
    sequences = sequences.subspan(n);
    row = end;
  }
}

void store_kv(CudaDevice& device, const ConstTensorView& k, const ConstTensorView& v, int64_t first,
              const KvLayer& kv) {
  if (k.size(0) == 0) return;
  const BlockTable table(device, kv, first + k.size(0));
  store(device,
        {.k = source_of(k),
         .v = source_of(v),
         .kv = geometry_of(kv),
         .type = kv.dtype,
         .blocks = table.blocks(),
         .first = first,
         .sequences = nullptr},
        k.size(0));
}

void store_kv(CudaDevice& device, const ConstTensorView& k, const ConstTensorView& v,
              const DecodeTable& table) {
  store(device,
        {.k = source_of(k),
         .v = source_of(v),
         .kv = table.kv,
         .type = table.dtype,
         .blocks = nullptr,
         .first = 0,
         .sequences = table.sequences},
        k.size(0));
}

}  // namespace glyph::ops::cuda
