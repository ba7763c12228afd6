// Matrix products by cuBLASLt. An algorithm is chosen by timing what the library recommends, once a shape has
// been called some times; before, its first recommendation runs.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <map>
#include <optional>

#include "base/log.h"
#include "ops/cuda/blas_plan.h"
#include "ops/cuda/matrix_choices.h"
#include "ops/cuda/trial.h"

namespace glyph::ops::cuda {
namespace {

constexpr int kCandidates = 10;
constexpr int kCallsBeforeTrial = 16;  // a model has 24 or 40 layers, so that its first pass decides
constexpr size_t kMaxPlans = 4096;         // then all are forgotten

static_assert(sizeof(cublasLtMatmulAlgo_t) == sizeof(MatrixChoice::algorithm));

int64_t three_bits(int64_t rows) {
  const int drop = std::max(0, static_cast<int>(std::bit_width(static_cast<uint64_t>(rows))) - 3);
  return (rows + (int64_t{1} << drop) - 1) >> drop << drop;
}

MatrixClass class_of(const BlasShape& s) {
  return {s.outputs, s.depth, three_bits(s.rows), s.type, s.out_type, s.bias, s.accumulate, s.scaled};
}

BlasAlgorithm algorithm_of(const MatrixChoice& choice) {
  return {std::bit_cast<cublasLtMatmulAlgo_t>(choice.algorithm), choice.workspace_bytes};
}

bool has_room(CudaDevice& device, size_t bytes) {
  size_t free_bytes = 0, total_bytes = 0;
  device.note(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
  return free_bytes > 2 * bytes + (size_t{256} << 20);
}

// How a shape runs. Without an algorithm the library has none.
struct ReadyPlan {
  BlasPlan plan;
  std::optional<BlasAlgorithm> algorithm;
};

class Products {
 public:
  bool run(CudaDevice& device, const Product& product);

  std::map<MatrixClass, MatrixChoice> choices;
  bool at_once = false;

  void forget_plans() { plans_.clear(); }

 private:
  ReadyPlan& plan_of(CudaDevice& device, const BlasShape& shape);
  ReadyPlan make_plan(CudaDevice& device, const BlasShape& shape);
  bool is_due(CudaDevice& device, const BlasShape& shape);
  void choose(CudaDevice& device, ReadyPlan& ready, const Product& product, const void* bias);
  bool run_unscaled(CudaDevice& device, const Product& product);

  std::map<BlasShape, ReadyPlan> plans_;
  std::map<MatrixClass, int> calls_;  // before a choice
};

ReadyPlan Products::make_plan(CudaDevice& device, const BlasShape& shape) {
  ReadyPlan ready{.plan = BlasPlan(device, shape), .algorithm = {}};
  if (!device.ok()) return ready;
  if (const auto found = choices.find(class_of(shape)); found != choices.end()) {
    const BlasAlgorithm chosen = algorithm_of(found->second);
    if (ready.plan.supports(device, chosen)) ready.algorithm = chosen;
  }
  if (!ready.algorithm) {
    const std::vector<BlasAlgorithm> found = ready.plan.candidates(device, 1);
    if (!found.empty()) ready.algorithm = found.front();
    if (found.empty()) {
      log_debug("cuBLASLt has no product of {} x {} x {} {} to {}{}{}{}", shape.rows, shape.depth, shape.outputs,
                name_of(shape.type), name_of(shape.out_type), shape.bias ? ", bias" : "",
                shape.accumulate ? ", added" : "", shape.scaled ? ", scaled" : "");
    }
  }
  return ready;
}

ReadyPlan& Products::plan_of(CudaDevice& device, const BlasShape& shape) {
  if (plans_.size() >= kMaxPlans) plans_.clear();
  auto found = plans_.find(shape);
  if (found == plans_.end()) found = plans_.emplace(shape, make_plan(device, shape)).first;
  return found->second;
}

bool Products::is_due(CudaDevice& device, const BlasShape& shape) {
  const MatrixClass shared = class_of(shape);
  if (choices.contains(shared)) return false;
  return (++calls_[shared] >= kCallsBeforeTrial || at_once) && !is_capturing(device);
}

// Times the candidates. Where results are added to what is there, into other memory.
void Products::choose(CudaDevice& device, ReadyPlan& ready, const Product& product, const void* bias) {
  const BlasShape shape = ready.plan.shape();
  void* out = product.out.raw();
  DeviceMemory elsewhere;
  if (shape.accumulate) {
    const size_t bytes = static_cast<size_t>(shape.rows * shape.out_stride) * size_of(shape.out_type);
    if (!has_room(device, bytes)) return;
    elsewhere = device.allocate(bytes);
    out = elsewhere.get();
    if (out == nullptr) return;
    device.note(cudaMemsetAsync(out, 0, bytes, device.stream()), "cudaMemsetAsync");
  }
  MatrixChoice best{.shape = class_of(shape), .seconds = std::numeric_limits<double>::infinity()};
  for (const BlasAlgorithm& candidate : ready.plan.candidates(device, kCandidates)) {
    const double seconds =
        seconds_of(device, [&] { return ready.plan.run(device, product, candidate, bias, out); });
    if (best.first_seconds == 0) best.first_seconds = seconds;
    // A library's own order counts until it is clearly wrong.
    if (seconds >= best.seconds * 0.99) continue;
    best.seconds = seconds;
    best.algorithm = std::bit_cast<std::array<uint64_t, 8>>(candidate.algorithm);
    best.workspace_bytes = candidate.workspace_bytes;
    ready.algorithm = candidate;
  }
  if (!device.ok() || best.seconds == std::numeric_limits<double>::infinity()) return;
  log_debug("product of {} x {} x {} {}: {:.1f} us, {:.1f} us with the library's first choice", shape.rows, shape.depth,
            shape.outputs, name_of(shape.type), best.seconds * 1e6, best.first_seconds * 1e6);
  choices[best.shape] = best;
  calls_.erase(best.shape);
  std::erase_if(plans_, [&](const auto& entry) {
    return entry.first != shape && class_of(entry.first) == best.shape;  // to be made anew with the choice
  });
}

bool Products::run(CudaDevice& device, const Product& product) {
  const BlasShape shape = shape_of(product);
  ReadyPlan& ready = plan_of(device, shape);
  if (!device.ok()) return true;
  const auto refused = [&] { return shape.scaled && run_unscaled(device, product); };
  if (!ready.algorithm) return refused();
  DeviceMemory narrow_bias;
  const void* bias = product.bias.raw();
  if (shape.bias && ready.plan.bias_type() != DType::kF32) {
    const DType type = ready.plan.bias_type();
    narrow_bias = device.allocate(static_cast<size_t>(shape.outputs) * size_of(type));
    convert(device, product.bias, {narrow_bias.get(), type, {shape.outputs}});
    bias = narrow_bias.get();
  }
  if (is_due(device, shape)) choose(device, ready, product, bias);
  if (ready.plan.run(device, product, *ready.algorithm, bias, product.out.raw())) return true;
  ready.algorithm.reset();  // the library promised more than it has
  return refused();
}

// Where the library does not take scales along (before compute capability 9.0): the sums of e4m3 products first, then
// their scales and the bias.
bool Products::run_unscaled(CudaDevice& device, const Product& product) {
  const DType type = product.out.dtype() == DType::kF32 ? DType::kF32 : DType::kBF16;
  const DeviceMemory memory =
      device.allocate(static_cast<size_t>(product.rows() * product.outputs()) * size_of(type));
  const TensorView sums(memory.get(), type, {product.rows(), product.outputs()});
  Product plain = product;
  plain.bias = {};
  plain.accumulate = false;
  plain.out = sums;
  BlasShape shape = shape_of(plain);
  shape.scaled = false;
  ReadyPlan& ready = plan_of(device, shape);
  if (!device.ok()) return true;
  if (!ready.algorithm) return false;
  if (is_due(device, ready.plan.shape())) choose(device, ready, plain, nullptr);
  if (!ready.plan.run(device, plain, *ready.algorithm, nullptr, sums.raw())) {
    ready.algorithm.reset();
    return false;
  }
  scale_products(device, sums, product);
  return true;
}

}  // namespace

bool matrix_blas(CudaDevice& device, const Product& product) {
  return device.state<Products>().run(device, product);
}

std::string matrix_choices_identity(Device& device) {
  return fmt::format("{}, cublasLt {}", device.description(), cublasLtGetVersion());
}

std::vector<MatrixChoice> matrix_choices(Device& device) {
  std::vector<MatrixChoice> table;
  for (const auto& [shape, choice] : device.cuda().state<Products>().choices) table.push_back(choice);
  return table;
}

void set_matrix_choices(Device& device, std::span<const MatrixChoice> choices) {
  Products& products = device.cuda().state<Products>();
  products.choices.clear();
  for (const MatrixChoice& choice : choices) products.choices[choice.shape] = choice;
  products.forget_plans();
}

void time_matrices_at_once(Device& device, bool at_once) { device.cuda().state<Products>().at_once = at_once; }

}  // namespace glyph::ops::cuda
