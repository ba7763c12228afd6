// ops_bench [NAME...]: speed of the ops but attention on the GPU at the shapes of the 9B model, ten pages; only rows whose
// name contains a NAME. One line a shape: microseconds, TFLOP/s, GB/s, and how often a question of ten pages or a token
// runs it. The lines "step" are layers of a decode step without attention, whose keys and values are stored, recorded, over
// weights that no cache holds: the time of a layer, and GB/s of weights.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ops/attention.h"
#include "ops/cuda/cuda_step_chain.h"
#include "ops/cuda/products.h"
#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/load.h"
#include "ops/norm.h"
#include "ops/quantise.h"
#include "ops/rotary.h"
#include "tensor/cuda/cuda_device.h"
#include "tensor/cuda_backend.h"

namespace glyph::ops {
namespace {

constexpr int64_t kPatches = 25200, kTokens = 6366;

struct Line {
  std::string name;
  int times = 1;  // that a question, or a token, runs it
  double flop = 0;
  double bytes = 0;  // operands read and written once
};

class Bench {
 public:
  Bench(CudaDevice& device, std::vector<std::string_view> filters) : device_(device), filters_(std::move(filters)) {
    device.note(cudaEventCreate(&begin_), "cudaEventCreate");
    device.note(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Bench() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }

  Tensor make(DType type, const Shape& shape) {
    Tensor tensor(device_, type, shape);
    fill_random(device_, {.start = ++seed_ << 40, .scale = 1, .offset = 0}, tensor.view());
    return tensor;
  }

  void linear_layer(const std::string& name, int times, int64_t rows, int64_t inputs, int64_t outputs, bool accumulate) {
    const Tensor x = make(DType::kBF16, {rows, inputs}), weight = make(DType::kBF16, {outputs, inputs});
    Tensor out = make(accumulate || rows == 1 ? DType::kF32 : DType::kBF16, {rows, outputs});
    const auto cells = static_cast<double>(inputs * outputs);
    const double out_bytes = static_cast<double>(out.num_bytes()) * (accumulate ? 2 : 1);
    run({fmt::format("{} {} x {} x {}", name, rows, inputs, outputs), times, 2 * static_cast<double>(rows) * cells,
         2 * cells + 2 * static_cast<double>(rows * inputs) + out_bytes},
        [&] { linear(device_, x.view(), {.weight = weight.view(), .bias = {}}, out.view(), {.accumulate = accumulate}); });
  }
  void swiglu_layer(const std::string& name, int times, int64_t rows, int64_t inputs, int64_t outputs) {
    const Tensor x = make(rows == 1 ? DType::kF32 : DType::kBF16, {rows, inputs}),
                 weight = make(DType::kBF16, {2 * outputs, inputs});
    Tensor out(device_, rows == 1 ? DType::kF32 : DType::kBF16, {rows, outputs});
    const auto cells = static_cast<double>(2 * inputs * outputs);
    run({fmt::format("{} {} x {} x 2 x {}", name, rows, inputs, outputs), times, 2 * static_cast<double>(rows) * cells,
         2 * cells + 2 * static_cast<double>(rows * (inputs + outputs))},
        [&] {
          swiglu_linear(device_, x.view(), weight.view().rows(0, outputs), weight.view().rows(outputs, 2 * outputs),
                        out.view());
        });
  }
  void step(int64_t rows, DType type) {
    const StepChain::Sizes sizes{.rows = rows};
    const std::string name = fmt::format("step{} layer {}", rows, name_of(type));
    if (!is_wanted(name)) return;
    StepChain chain(device_, sizes, type);
    chain.queue();
    const std::unique_ptr<RecordedWork> work = device_.record([&] { chain.queue(); });
    if (work == nullptr) return;
    work->repeat();
    const double seconds = seconds_of([&] { work->repeat(); }) / sizes.num_layers;
    const double bytes = static_cast<double>(chain.weight_bytes()) / sizes.num_layers;
    print({name, 40, 0, bytes}, seconds);
  }
  void norms(const std::string& name, int times, int64_t rows, int64_t n, DType out_type) {
    Tensor x = make(DType::kF32, {rows, n});
    const Tensor branch = make(DType::kF32, {rows, n}), weight = make(DType::kF32, {n});
    Tensor out(device_, out_type, {rows, n});
    const auto element = static_cast<double>(rows * n), out_bytes = static_cast<double>(out.num_bytes());
    run({fmt::format("{} rms_norm {} x {} {}", name, rows, n, name_of(out_type)), times, 0, 4 * element + out_bytes},
        [&] { rms_norm(device_, x.view(), weight.view(), 1e-5f, out.view()); });
    run({fmt::format("{} add_norm {} x {} {}", name, rows, n, name_of(out_type)), times, 0, 12 * element + out_bytes},
        [&] { add_norm(device_, x.view(), branch.view(), {weight.view(), weight.view(), 1e-5f}, out.view()); });
    if (rows == 1) return;
    const Tensor narrow = make(DType::kBF16, {rows, n});
    run({fmt::format("{} add_norm bf16 {} x {} {}", name, rows, n, name_of(out_type)), times, 0, 10 * element + out_bytes},
        [&] { add_norm(device_, x.view(), narrow.view(), {weight.view(), weight.view(), 1e-5f}, out.view()); });
  }
  // Gates and ups beside each other, as one product gives them.
  void gates(const std::string& name, int times, int64_t rows, int64_t n, DType out_type) {
    const Tensor both = make(DType::kBF16, {rows, 2 * n});
    Tensor out(device_, out_type, {rows, n});
    run({fmt::format("{} gates {} x {} {}", name, rows, n, name_of(out_type)), times, 0,
         static_cast<double>(both.num_bytes() + out.num_bytes())},
        [&] { cuda::swiglu(device_, both.view().slice(1, 0, n), both.view().slice(1, n, 2 * n), out.view()); });
  }
  void quantise_rows(const std::string& name, int times, int64_t rows, int64_t n) {
    const Tensor x = make(DType::kBF16, {rows, n});
    Tensor out(device_, DType::kE4M3, {rows, n});
    run({fmt::format("{} quantise {} x {}", name, rows, n), times, 0, static_cast<double>(x.num_bytes() + out.num_bytes())},
        [&] { quantise(device_, x.view(), out.view()); });
  }
  // Pages of the shape of a sheet of A4 at the size the model reads it.
  void positions(const std::string& name, int64_t pages, int64_t n) {
    const PatchGrid grid{60, 42};
    std::vector<PatchPosition> positions;
    for (int32_t row = 0; row < grid.height; ++row) {
      for (int32_t column = 0; column < grid.width; ++column) positions.push_back({row, column});
    }
    DeviceMemory there = device_.allocate(positions.size() * sizeof(PatchPosition));
    device_.upload(there.get(), positions.data(), positions.size() * sizeof(PatchPosition));
    const Tensor table = make(DType::kF32, {24 * 24, n});
    Tensor x = make(DType::kF32, {pages * grid.num_patches(), n});
    run({fmt::format("{} positions {} x {}", name, x.shape()[0], n), 1, 0, 2 * static_cast<double>(x.num_bytes())}, [&] {
      add_position_table(device_, static_cast<const PatchPosition*>(there.get()), grid, table.view(), x.view());
    });
  }
  void store_rows(const std::string& name, int times, int64_t rows) {
    constexpr int64_t kHeads = 2, kDim = 128, kBlockTokens = 64;
    const size_t half = kv_half_bytes(kHeads, kBlockTokens, kDim, DType::kBF16);
    const Tensor qkv = make(DType::kBF16, {rows, 4608});
    const int64_t num_blocks = (rows + kBlockTokens - 1) / kBlockTokens;
    const DeviceMemory memory = device_.allocate(static_cast<size_t>(num_blocks) * 2 * half);
    std::vector<void*> blocks;
    for (int64_t i = 0; i < num_blocks; ++i) blocks.push_back(static_cast<std::byte*>(memory.get()) + static_cast<size_t>(i) * 2 * half);
    const DeviceMemory table = device_.allocate(blocks.size() * sizeof(void*));
    device_.upload(table.get(), blocks.data(), blocks.size() * sizeof(void*));
    const KvLayer kv{.blocks = blocks, .device_blocks = static_cast<const void* const*>(table.get()), .value_offset = half,
                     .block_tokens = kBlockTokens, .num_kv_heads = kHeads, .head_dim = kDim, .dtype = DType::kBF16};
    const auto heads = [&](int64_t begin) { return qkv.view().slice(1, begin, begin + kHeads * kDim).split_last(kHeads); };
    run({fmt::format("{} store {} x {} heads", name, rows, kHeads), times, 0, 8 * static_cast<double>(rows * kHeads * kDim)},
        [&] { store_kv(device_, heads(4096), heads(4096 + kHeads * kDim), 0, kv); });
  }
  void rotary_heads(const std::string& name, int times, int64_t rows, int64_t heads, RotaryPairs pairs) {
    const int64_t angles = pairs == RotaryPairs::kHalves ? 64 : 32;
    Tensor x = make(rows == 1 ? DType::kF32 : DType::kBF16, {rows, heads, 128});
    const Tensor cos = make(DType::kF32, {rows, angles}), sin = make(DType::kF32, {rows, angles});
    const double turned = static_cast<double>(x.num_bytes()) * static_cast<double>(2 * angles) / 128;
    run({fmt::format("{} rotary {} x {} heads", name, rows, heads), times, 0, 2 * turned},
        [&] { rotary(device_, x.view(), cos.view(), sin.view(), pairs); });
  }

 private:
  bool is_wanted(const std::string& name) const {
    const auto in_name = [&](std::string_view part) { return name.find(part) != std::string::npos; };
    return filters_.empty() || std::any_of(filters_.begin(), filters_.end(), in_name);
  }
  void run(const Line& line, const std::function<void()>& work) {
    if (!is_wanted(line.name)) return;
    for (int i = 0; i < 3; ++i) work();
    print(line, seconds_of(work));
  }
  // Of one of many calls.
  double seconds_of(const std::function<void()>& work) {
    constexpr int kRepeat = 20;
    float milliseconds = 0;
    device_.note(cudaEventRecord(begin_, device_.stream()), "cudaEventRecord");
    for (int i = 0; i < kRepeat; ++i) work();
    device_.note(cudaEventRecord(end_, device_.stream()), "cudaEventRecord");
    device_.note(cudaEventSynchronize(end_), "cudaEventSynchronize");
    device_.note(cudaEventElapsedTime(&milliseconds, begin_, end_), "cudaEventElapsedTime");
    return static_cast<double>(milliseconds) * 1e-3 / kRepeat;
  }
  static void print(const Line& line, double seconds) {
    fmt::print("{:44} {:9.1f} us {:8.1f} TFLOP/s {:8.0f} GB/s   x {:3} = {:7.2f} ms\n", line.name, seconds * 1e6,
               line.flop / seconds * 1e-12, line.bytes / seconds * 1e-9, line.times, seconds * 1e3 * line.times);
  }

  CudaDevice& device_;
  std::vector<std::string_view> filters_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  uint64_t seed_ = 0;
};

void run_all(Bench& bench) {
  bench.linear_layer("vision qkv", 24, kPatches, 1536, 4608, false);
  bench.linear_layer("vision proj", 24, kPatches, 1536, 1536, true);
  bench.swiglu_layer("vision swiglu", 24, kPatches, 1536, 4096);
  bench.linear_layer("vision down", 24, kPatches, 4096, 1536, true);
  bench.gates("vision", 24, kPatches, 4096, DType::kBF16);
  bench.positions("vision", kPatches / 2520, 1536);
  bench.norms("vision", 48, kPatches, 1536, DType::kBF16);
  bench.rotary_heads("vision", 24, kPatches, 24, RotaryPairs::kHalves);
  bench.swiglu_layer("merger swiglu", 1, kPatches / 4, 4096, 13696);
  bench.linear_layer("prefill qkv", 40, kTokens, 4096, 4608, false);
  bench.linear_layer("prefill o", 40, kTokens, 4096, 4096, false);
  bench.swiglu_layer("prefill swiglu", 40, kTokens, 4096, 13696);
  bench.linear_layer("prefill down", 40, kTokens, 13696, 4096, false);
  bench.gates("prefill", 40, kTokens, 13696, DType::kBF16);
  bench.norms("prefill", 80, kTokens, 4096, DType::kBF16);
  bench.rotary_heads("prefill", 40, kTokens, 34, RotaryPairs::kInterleaved);
  bench.store_rows("prefill", 40, kTokens);
  bench.gates("fp8 vision", 24, kPatches, 4096, DType::kE4M3);
  bench.quantise_rows("fp8 vision", 24, kPatches, 1536);
  bench.norms("fp8 vision", 48, kPatches, 1536, DType::kE4M3);
  bench.gates("fp8 prefill", 40, kTokens, 13696, DType::kE4M3);
  bench.quantise_rows("fp8 prefill", 40, kTokens, 4096);
  bench.norms("fp8 prefill", 80, kTokens, 4096, DType::kE4M3);
  for (const int64_t rows : {1, 8, 32}) {
    const std::string name = fmt::format("decode{}", rows);
    bench.linear_layer(name + " qkv", 40, rows, 4096, 4608, false);
    bench.linear_layer(name + " o", 40, rows, 4096, 4096, false);
    bench.swiglu_layer(name + " swiglu", 40, rows, 4096, 13696);
    bench.linear_layer(name + " down", 40, rows, 13696, 4096, false);
    bench.linear_layer(name + " head", 1, rows, 4096, 151552, false);
    bench.norms(name, 80, rows, 4096, DType::kF32);
    bench.rotary_heads(name, 40, rows, 34, RotaryPairs::kInterleaved);
  }
  for (const DType type : {DType::kBF16, DType::kE4M3}) {
    for (const int64_t rows : {1, 8, 32}) bench.step(rows, type);
  }
}

}  // namespace
}  // namespace glyph::ops

int main(int argc, char** argv) {
  const auto device = glyph::open_cuda_device();
  if (!device.ok()) {
    fmt::print(stderr, "ops_bench: {}\n", device.status().message());
    return 1;
  }
  {
    glyph::ops::Bench bench((*device)->cuda(), {argv + 1, argv + argc});
    glyph::ops::run_all(bench);
  }
  const glyph::Status status = (*device)->take_status();
  if (!status.ok()) fmt::print(stderr, "ops_bench: {}\n", status.message());
  return status.ok() ? 0 : 1;
}
