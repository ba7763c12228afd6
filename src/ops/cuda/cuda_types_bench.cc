// types_bench [NAME]: matrix products of the 9B model in every type of weights; only rows whose name contains NAME. Few
// rows are bound by reading weights: GB/s of weights, with scales, and their share of the memory's speed; many by
// multiplying: TFLOP/s. Each line repeats a recorded graph that walks over so many weights that no cache holds them.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ops/cuda/matrix_choices.h"
#include "ops/linear.h"
#include "ops/load.h"
#include "ops/quantise.h"
#include "tensor/cuda/cuda_device.h"
#include "tensor/cuda_backend.h"

namespace glyph::ops {
namespace {

constexpr double kMemoryBytesPerSecond = 4.8e12;  // of an H200
constexpr size_t kColdBytes = size_t{400} << 20;  // eight times its cache

struct Layer {
  std::string_view name;
  int64_t inputs, outputs;
  bool swiglu;  // outputs gates and as many ups
};
constexpr Layer kLanguage[] = {
    {"qkv", 4096, 4608, false}, {"o", 4096, 4096, false}, {"gate_up", 4096, 13696, true}, {"down", 13696, 4096, false}};
constexpr Layer kVision[] = {
    {"qkv", 1536, 4608, false}, {"proj", 1536, 1536, false}, {"gate_up", 1536, 4096, true}, {"down", 4096, 1536, false}};

class Bench {
 public:
  Bench(CudaDevice& device, std::string_view filter) : device_(device), filter_(filter) {
    device.note(cudaEventCreate(&begin_), "cudaEventCreate");
    device.note(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Bench() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }

  void run(std::string_view what, const Layer& layer, DType type, int64_t rows) {
    const std::string name = fmt::format("{} {} {} x {} x {}{}", what, layer.name, rows, layer.inputs,
                                         layer.swiglu ? "2 x " : "", layer.outputs);
    const std::string line = fmt::format("{:38} {:5}", name, name_of(type));
    if (line.find(filter_) == std::string::npos || !device_.ok()) return;
    const DType compute = is_quantised(type) ? DType::kBF16 : type;
    const int64_t outputs = layer.outputs * (layer.swiglu ? 2 : 1);
    const size_t bytes = storage_layout(type, {outputs, layer.inputs}).num_bytes;
    const size_t count = rows > 32 ? 4 : std::clamp<size_t>(kColdBytes / bytes, 2, 64);
    std::vector<Tensor> weights;
    for (size_t i = 0; i < count; ++i) weights.push_back(random(type, {outputs, layer.inputs}));
    const Tensor x = random(input_type(compute, rows, {weights[0].view()}), {rows, layer.inputs});
    Tensor out(device_, compute, {rows, layer.outputs});
    const auto queue = [&] {
      for (const Tensor& weight : weights) {
        const ConstTensorView w = weight.view();
        if (layer.swiglu) {
          swiglu_linear(device_, x.view(), w.rows(0, layer.outputs), w.rows(layer.outputs, outputs), out.view());
        } else {
          linear(device_, x.view(), {.weight = w, .bias = {}}, out.view());
        }
      }
    };
    const double seconds = seconds_of(queue) / static_cast<double>(count);
    const double flop = 2 * static_cast<double>(rows) * static_cast<double>(layer.inputs * outputs);
    const double bytes_per_second = static_cast<double>(bytes) / seconds;
    fmt::print("{} {:9.1f} us {:8.1f} TFLOP/s {:8.0f} GB/s {:5.1f} %\n", line, seconds * 1e6, flop / seconds * 1e-12,
               bytes_per_second * 1e-9, bytes_per_second / kMemoryBytesPerSecond * 100);
    std::fflush(stdout);
  }

 private:
  Tensor random(DType type, const Shape& shape) {
    Tensor plain(device_, is_quantised(type) ? DType::kBF16 : type, shape);
    fill_random(device_, {.start = ++seed_ << 40, .scale = 0.03f, .offset = 0}, plain.view());
    if (!is_quantised(type)) return plain;
    Tensor narrow(device_, type, shape);
    quantise(device_, plain.view(), narrow.view());
    return narrow;
  }
  // One pass of `queue`, recorded; the best of three.
  template <typename Queue>
  double seconds_of(const Queue& queue) {
    queue();
    const std::unique_ptr<RecordedWork> work = device_.record(queue);
    double best = 1e30;
    for (int i = 0; i < 4 && device_.ok(); ++i) {
      float milliseconds = 0;
      device_.note(cudaEventRecord(begin_, device_.stream()), "cudaEventRecord");
      if (work != nullptr) {
        work->repeat();
      } else {
        queue();
      }
      device_.note(cudaEventRecord(end_, device_.stream()), "cudaEventRecord");
      device_.note(cudaEventSynchronize(end_), "cudaEventSynchronize");
      device_.note(cudaEventElapsedTime(&milliseconds, begin_, end_), "cudaEventElapsedTime");
      if (i > 0) best = std::min(best, milliseconds * 1e-3);
    }
    return best;
  }

  CudaDevice& device_;
  std::string_view filter_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
  uint64_t seed_ = 0;
};

void run_all(Bench& bench) {
  constexpr DType kAll[] = {DType::kBF16, DType::kF16, DType::kE4M3, DType::kI8, DType::kI4};
  for (const int64_t rows : {1, 8, 32}) {
    for (const Layer& layer : kLanguage) {
      for (const DType type : kAll) bench.run("decode", layer, type, rows);
    }
  }
  for (const Layer& layer : kLanguage) {
    for (const DType type : kAll) bench.run("prefill", layer, type, 6358);
  }
  for (const Layer& layer : kVision) {
    for (const DType type : kAll) bench.run("vision", layer, type, 25200);
  }
}

// What the library's first recommendations lost.
void print_choices(Device& device) {
  for (const cuda::MatrixChoice& c : cuda::matrix_choices(device)) {
    fmt::print("choice {:6} x {:5} x {:6} {:5} {:9.1f} us, the library's first {:9.1f} us\n", c.shape.rows, c.shape.depth,
               c.shape.outputs, name_of(c.shape.type), c.seconds * 1e6, c.first_seconds * 1e6);
  }
}

}  // namespace
}  // namespace glyph::ops

int main(int argc, char** argv) {
  const auto device = glyph::open_cuda_device();
  if (!device.ok()) {
    fmt::print(stderr, "types_bench: {}\n", device.status().message());
    return 1;
  }
  glyph::ops::cuda::time_matrices_at_once(**device, true);
  {
    glyph::ops::Bench bench((*device)->cuda(), argc > 1 ? argv[1] : "");
    glyph::ops::run_all(bench);
  }
  glyph::ops::print_choices(**device);
  const glyph::Status status = (*device)->take_status();
  if (!status.ok()) fmt::print(stderr, "types_bench: {}\n", status.message());
  return status.ok() ? 0 : 1;
}
