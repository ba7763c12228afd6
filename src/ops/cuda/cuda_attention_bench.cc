// attention_bench [NAME]: speed of the attention ops on the GPU at the shapes of the 9B model; only rows
// whose name contains NAME. One line a shape: milliseconds (best of several), TFLOP/s, GB/s.
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "ops/attention.h"
#include "ops/cuda/attention_cudnn.h"
#include "ops/cuda/attention_decode.h"
#include "ops/cuda/attention_pages.h"
#include "tensor/cuda/cuda_device.h"
#include "tensor/cuda_backend.h"

namespace glyph::ops {
namespace {

struct Work {
  double flop = 0;
  double bytes = 0;  // keys and values once, queries and results once
};

class Bench {
 public:
  Bench(Device& device, std::string filter) : device_(device), filter_(std::move(filter)) {
    cudaEventCreate(&begin_);
    cudaEventCreate(&end_);
  }
  ~Bench() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  bool wants(std::string_view name) const { return name.find(filter_) != std::string_view::npos; }

  void measure(const std::string& name, const Work& work, const std::function<void()>& run) {
    for (int i = 0; i < 3; ++i) run();  // also lets the op choose its implementation
    double best = std::numeric_limits<double>::infinity(), spent = 0;
    for (int i = 0; i < 50 && (spent < 0.5 || i < 3); ++i) {
      const double seconds = time(run);
      best = std::min(best, seconds);
      spent += seconds;
    }
    const Status status = device_.take_status();
    if (!status.ok()) {
      std::printf("%-44s %s\n", name.c_str(), status.message().c_str());
      return;
    }
    std::printf("%-44s %9.4f ms %8.1f TFLOP/s %8.0f GB/s\n", name.c_str(), best * 1e3,
                work.flop / best * 1e-12, work.bytes / best * 1e-9);
    std::fflush(stdout);
  }

  Device& device() { return device_; }

  // Values between -0.5 and 0.5.
  Tensor make(DType type, const Shape& shape) {
    constexpr int64_t kDistinct = 1 << 20;
    const int64_t n = shape.num_elements();
    std::vector<std::byte> host(static_cast<size_t>(kDistinct) * size_of(type));
    for (int64_t i = 0; i < kDistinct; ++i) {
      state_ = state_ * 1664525u + 1013904223u;
      const float value = static_cast<float>(state_ >> 8) * 0x1p-24f - 0.5f;
      if (type == DType::kBF16) {
        reinterpret_cast<BF16*>(host.data())[i] = to_bf16(value);
      } else {
        reinterpret_cast<float*>(host.data())[i] = value;
      }
    }
    Tensor tensor(device_, type, shape);
    auto* const to = static_cast<std::byte*>(tensor.view().raw());
    for (int64_t i = 0; i < n; i += kDistinct) {
      device_.upload(to + static_cast<size_t>(i) * size_of(type), host.data(),
                     static_cast<size_t>(std::min(kDistinct, n - i)) * size_of(type));
    }
    return tensor;
  }

 private:
  double time(const std::function<void()>& run) {
    cudaStream_t stream = device_.cuda().stream();
    cudaEventRecord(begin_, stream);
    run();
    cudaEventRecord(end_, stream);
    cudaEventSynchronize(end_);
    float milliseconds = 0;
    cudaEventElapsedTime(&milliseconds, begin_, end_);
    return milliseconds * 1e-3;
  }

  Device& device_;
  std::string filter_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  uint32_t state_ = 1;
};

struct PagesShape {
  const char* name;
  std::vector<int64_t> page_tokens;
  int64_t heads, head_dim;
  DType type;
};

void bench_pages(Bench& bench, const PagesShape& s) {
  if (!bench.wants(s.name)) return;
  int64_t rows = 0;
  double pairs = 0;
  for (const int64_t tokens : s.page_tokens) {
    rows += tokens;
    pairs += static_cast<double>(tokens) * static_cast<double>(tokens);
  }
  const int64_t width = s.heads * s.head_dim;
  const Tensor qkv = bench.make(s.type, {rows, 3 * width});
  Tensor out(bench.device(), s.type, {rows, s.heads, s.head_dim});
  const auto part = [&](int64_t i) {
    return qkv.view().slice(1, i * width, (i + 1) * width).split_last(s.heads);
  };
  const Work work{.flop = 4 * pairs * static_cast<double>(width),
                  .bytes = 4.0 * static_cast<double>(rows * width) * static_cast<double>(size_of(s.type))};
  bench.measure(s.name, work, [&] {
    full_attention(bench.device(), part(0), part(1), part(2), 0.088f, out.view(), s.page_tokens);
  });
  if (s.type != DType::kBF16) return;
  CudaDevice& cuda = bench.device().cuda();
  bench.measure(std::string(s.name) + ", own kernel", work, [&] {
    cuda::attend_pages(cuda, part(0), part(1), part(2), 0.088f, out.view(), s.page_tokens);
  });
  const cuda::EqualPages pages{.q = part(0),
                               .k = part(1),
                               .v = part(2),
                               .out = out.view(),
                               .num_pages = static_cast<int64_t>(s.page_tokens.size()),
                               .tokens = s.page_tokens[0],
                               .scale = 0.088f};
  if (pages.num_pages * pages.tokens != rows) return;
  cuda::PageChoices ways;
  const auto measure_way = [&](const char* name, cuda::PageWay way) {
    if (!ways.run(cuda, pages, way)) return;
    bench.measure(fmt::format("{}, {}", s.name, name), work, [&] { ways.run(cuda, pages, way); });
  };
  measure_way("cuDNN", cuda::PageWay::kCudnn);
  if (pages.num_pages > 1) return;
  measure_way("own, packed", cuda::PageWay::kHerePacked);
  measure_way("cuDNN, packed", cuda::PageWay::kCudnnPacked);
}

// One memory for the blocks of all sequences, handed out in turns as a server that interleaves them would.
struct KvMemory {
  static constexpr int64_t kBlockTokens = 64, kKvHeads = 2, kHeadDim = 128;

  KvMemory(Bench& bench, int64_t sequences, int64_t tokens, DType type) {
    const int64_t blocks = (tokens + kBlockTokens - 1) / kBlockTokens;
    const size_t half = kv_half_bytes(kKvHeads, kBlockTokens, kHeadDim, type), block_bytes = 2 * half;
    // Any bytes do for elements of e4m3, but their scales are floats.
    const DType filled = type == DType::kE4M3 ? DType::kF32 : type;
    memory = bench.make(filled, {sequences * blocks, static_cast<int64_t>(block_bytes / size_of(filled))});
    auto* const base = static_cast<std::byte*>(memory.view().raw());
    pointers.resize(static_cast<size_t>(sequences));
    for (int64_t i = 0; i < sequences * blocks; ++i) {
      pointers[static_cast<size_t>(i % sequences)].push_back(base + static_cast<size_t>(i) * block_bytes);
    }
    for (const std::vector<void*>& table : pointers) {
      tables.push_back(bench.device().allocate(table.size() * sizeof(void*)));
      bench.device().upload(tables.back().get(), table.data(), table.size() * sizeof(void*));
      layers.push_back({.blocks = table,
                        .device_blocks = static_cast<const void* const*>(tables.back().get()),
                        .key_offset = 0,
                        .value_offset = half,
                        .block_tokens = kBlockTokens,
                        .num_kv_heads = kKvHeads,
                        .head_dim = kHeadDim,
                        .dtype = type});
    }
  }

  Tensor memory;
  std::vector<std::vector<void*>> pointers;
  std::vector<DeviceMemory> tables;
  std::vector<KvLayer> layers;
};

// What meets KV of this type.
DType query_type(DType kv) { return kv == DType::kE4M3 ? DType::kBF16 : kv; }

struct PrefillShape {
  const char* name;
  int64_t first, rows;
  DType type;  // of KV
};

void bench_prefill(Bench& bench, const PrefillShape& s) {
  if (!bench.wants(s.name)) return;
  constexpr int64_t kHeads = 32;
  const KvMemory kv(bench, 1, s.first + s.rows, s.type);
  const Tensor q = bench.make(query_type(s.type), {s.rows, kHeads, KvMemory::kHeadDim});
  Tensor out(bench.device(), q.dtype(), q.shape());
  const auto rows = static_cast<double>(s.rows), first = static_cast<double>(s.first);
  const double pairs = rows * first + rows * (rows + 1) / 2;
  const double row_bytes = static_cast<double>(KvMemory::kHeadDim) * static_cast<double>(size_of(q.dtype()));
  const Work work{.flop = 4 * pairs * kHeads * static_cast<double>(KvMemory::kHeadDim),
                  .bytes = row_bytes * (2 * (first + rows) * KvMemory::kKvHeads + 2 * rows * kHeads)};
  bench.measure(s.name, work, [&] {
    causal_attention(bench.device(), q.view(), kv.layers[0], s.first, 0.088f, out.view());
  });
}

struct DecodeShape {
  const char* name;
  int64_t sequences, tokens;
  DType type;
};

void bench_decode(Bench& bench, const DecodeShape& s) {
  if (!bench.wants(s.name)) return;
  constexpr int64_t kHeads = 32;
  const KvMemory kv(bench, s.sequences, s.tokens, s.type);
  const Tensor q = bench.make(DType::kBF16, {s.sequences, kHeads, KvMemory::kHeadDim});
  Tensor out(bench.device(), DType::kBF16, q.shape());
  CudaDevice& cuda = bench.device().cuda();
  std::vector<cuda::DecodeSequence> sequences;
  std::vector<DecodeRow> rows;
  for (const KvLayer& layer : kv.layers) {
    sequences.push_back({layer.device_blocks, s.tokens});
    rows.push_back({layer, s.tokens});
  }
  const DeviceMemory memory = cuda.allocate(sequences.size() * sizeof(sequences[0]));
  cuda.upload(memory.get(), sequences.data(), sequences.size() * sizeof(sequences[0]));
  const cuda::DecodeTable table{.sequences = static_cast<const cuda::DecodeSequence*>(memory.get()),
                                .max_tokens = s.tokens,
                                .kv = {.key_offset = 0,
                                       .value_offset = kv.layers[0].value_offset,
                                       .block_tokens = KvMemory::kBlockTokens,
                                       .num_kv_heads = KvMemory::kKvHeads,
                                       .head_dim = KvMemory::kHeadDim},
                                .dtype = s.type};
  const DeviceMemory scratch = cuda.allocate(cuda::decode_scratch_bytes(cuda, q.view(), table));
  const auto keys = static_cast<double>(s.sequences * s.tokens);
  const Work work{.flop = 4 * keys * kHeads * static_cast<double>(KvMemory::kHeadDim),
                  .bytes = 2 * keys * static_cast<double>(kv_half_bytes(KvMemory::kKvHeads, 1, KvMemory::kHeadDim, s.type))};
  bench.measure(s.name, work,
                [&] { cuda::decode_attention(cuda, q.view(), table, 0.088f, scratch.get(), out.view()); });
  bench.measure(std::string(s.name) + ", rows from the host", work,
                [&] { decode_attention(cuda, q.view(), rows, 0.088f, out.view()); });
}

int run(const std::string& filter) {
  Result<std::unique_ptr<Device>> opened = open_cuda_device();
  if (!opened.ok()) {
    std::fprintf(stderr, "attention_bench: %s\n", opened.status().message().c_str());
    return 1;
  }
  const std::unique_ptr<Device> device = std::move(opened).value();
  std::printf("%s; cuDNN: %s\n", device->description().c_str(), cuda::cudnn_description().c_str());
  Bench bench(*device, filter);
  const std::vector<int64_t> ten_pages(10, 2520);
  std::vector<int64_t> ragged = ten_pages;
  ragged.back() = 1764;
  bench_pages(bench, {"pages 10 x 2520, 12 x 128, bf16", ten_pages, 12, 128, DType::kBF16});
  bench_pages(bench, {"pages 9 x 2520 + 1764, 12 x 128, bf16", ragged, 12, 128, DType::kBF16});
  bench_pages(bench, {"pages 1 x 2520, 12 x 128, bf16", {2520}, 12, 128, DType::kBF16});
  bench_pages(bench, {"pages 1 x 85264, 12 x 128, bf16", {85264}, 12, 128, DType::kBF16});
  bench_pages(bench, {"pages 10 x 2520, 6 x 64, bf16", ten_pages, 6, 64, DType::kBF16});
  bench_pages(bench, {"pages 10 x 2520, 12 x 128, f32", ten_pages, 12, 128, DType::kF32});
  bench_prefill(bench, {"prefill 6358, 32/2 x 128, bf16", 0, 6358, DType::kBF16});
  bench_prefill(bench, {"prefill 2048 after 92452, 32/2 x 128, bf16", 92452, 2048, DType::kBF16});
  bench_prefill(bench, {"prefill 64 after 6294, 32/2 x 128, bf16", 6294, 64, DType::kBF16});
  bench_prefill(bench, {"prefill 2048 after 92452, 32/2 x 128, fp8 KV", 92452, 2048, DType::kE4M3});
  bench_prefill(bench, {"prefill 64 after 94436, 32/2 x 128, bf16", 94436, 64, DType::kBF16});
  bench_prefill(bench, {"prefill 64 after 94436, 32/2 x 128, fp8 KV", 94436, 64, DType::kE4M3});
  bench_prefill(bench, {"prefill 6358, 32/2 x 128, f32", 0, 6358, DType::kF32});
  bench_decode(bench, {"decode 1 x 6358, bf16", 1, 6358, DType::kBF16});
  bench_decode(bench, {"decode 32 x 6358, bf16", 32, 6358, DType::kBF16});
  bench_decode(bench, {"decode 1 x 94500, bf16", 1, 94500, DType::kBF16});
  bench_decode(bench, {"decode 32 x 94500, bf16", 32, 94500, DType::kBF16});
  bench_decode(bench, {"decode 1 x 6358, fp8", 1, 6358, DType::kE4M3});
  bench_decode(bench, {"decode 32 x 6358, fp8", 32, 6358, DType::kE4M3});
  bench_decode(bench, {"decode 1 x 94500, fp8", 1, 94500, DType::kE4M3});
  bench_decode(bench, {"decode 32 x 94500, fp8", 32, 94500, DType::kE4M3});
  bench_decode(bench, {"decode 1 x 6358, f32", 1, 6358, DType::kF32});
  return 0;
}

}  // namespace
}  // namespace glyph::ops

int main(int argc, char** argv) { return glyph::ops::run(argc > 1 ? argv[1] : ""); }
