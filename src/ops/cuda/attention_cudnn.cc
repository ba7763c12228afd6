#include "ops/cuda/attention_cudnn.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "tensor/cuda/cuda_device.h"

namespace glyph::ops::cuda {
namespace {

// The part of cuDNN's binary interface that is used, so that neither its headers nor the library are needed
// to build. Names and numbers: cudnn_graph.h.
using Status32 = int;                // cudnnStatus_t, 0: success
using RawDescriptor = void*;         // cudnnBackendDescriptor_t
constexpr size_t kOldest = 9'13'01;  // has the operation for a whole attention

enum DescriptorType : int {
  kEngineConfig = 3,
  kEngineHeuristics = 4,
  kExecutionPlan = 5,
  kOperationGraph = 15,
  kVariantPack = 16,
  kTensor = 17,
  kSdpaForward = 41,
};
enum AttributeType : int {
  kHandle = 0,
  kDataType = 1,
  kBoolean = 2,
  kInt64 = 3,
  kPointer = 6,
  kHeuristicsMode = 8,
  kDescriptor = 15
};
enum AttributeName : int {
  kHeuristicsModeName = 200,
  kHeuristicsGraph = 201,
  kHeuristicsResults = 202,
  kPlanHandle = 400,
  kPlanConfig = 401,
  kPlanWorkspaceBytes = 402,
  kGraphHandle = 800,
  kGraphOperations = 801,
  kTensorAlignment = 900,
  kTensorDataType = 901,
  kTensorDimensions = 902,
  kTensorStrides = 903,
  kTensorId = 906,
  kTensorByValue = 908,
  kPackIds = 1000,
  kPackPointers = 1001,
  kPackWorkspace = 1003,
  kSdpaQ = 2800,
  kSdpaK = 2801,
  kSdpaV = 2802,
  kSdpaOut = 2803,
  kSdpaScale = 2805,
};
constexpr int kFloat = 0, kHalf = 2, kBFloat16 = 9;  // cudnnDataType_t
constexpr int kBestFirst = 3;             // CUDNN_HEUR_MODE_A

// The library, once for the process.
class Library {
 public:
  static const Library& get() {
    static const Library library;
    return library;
  }

  Library() {
    const char* const wanted = std::getenv("GLYPH_CUDNN");
    if (wanted != nullptr && std::string_view(wanted) == "off") {
      why_not_ = "turned off by GLYPH_CUDNN";
      return;
    }
    void* file = nullptr;
    if (wanted == nullptr || *wanted == '\0') {
      file = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    } else {
      file = dlopen(fmt::format("{}/libcudnn.so.9", wanted).c_str(), RTLD_NOW | RTLD_LOCAL);
      if (file == nullptr) file = dlopen(wanted, RTLD_NOW | RTLD_LOCAL);
    }
    if (file == nullptr) {
      why_not_ = dlerror();
      return;
    }
    if (!load(file)) {
      why_not_ = "libcudnn.so.9 lacks a function of the backend interface";
    } else if (version_() < kOldest) {
      why_not_ = fmt::format("cuDNN {} is older than 9.13.1", version_());
    }
  }

  bool usable() const { return why_not_.empty(); }
  std::string description() const {
    if (!usable()) return why_not_;
    return fmt::format("{}.{}.{}", version_() / 10000, version_() / 100 % 100, version_() % 100);
  }

  Status32 (*create)(void**) = nullptr;
  Status32 (*destroy)(void*) = nullptr;
  Status32 (*set_stream)(void*, cudaStream_t) = nullptr;
  Status32 (*create_descriptor)(int, RawDescriptor*) = nullptr;
  Status32 (*destroy_descriptor)(RawDescriptor) = nullptr;
  Status32 (*finalize)(RawDescriptor) = nullptr;
  Status32 (*set_attribute)(RawDescriptor, int, int, int64_t, const void*) = nullptr;
  Status32 (*get_attribute)(RawDescriptor, int, int, int64_t, int64_t*, void*) = nullptr;
  Status32 (*execute)(void*, RawDescriptor, RawDescriptor) = nullptr;

 private:
  template <typename Function>
  static bool find(void* file, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(file, name));
    return function != nullptr;
  }
  bool load(void* file) {
    return find(file, "cudnnGetVersion", version_) && find(file, "cudnnCreate", create) &&
           find(file, "cudnnDestroy", destroy) && find(file, "cudnnSetStream", set_stream) &&
           find(file, "cudnnBackendCreateDescriptor", create_descriptor) &&
           find(file, "cudnnBackendDestroyDescriptor", destroy_descriptor) &&
           find(file, "cudnnBackendFinalize", finalize) &&
           find(file, "cudnnBackendSetAttribute", set_attribute) &&
           find(file, "cudnnBackendGetAttribute", get_attribute) &&
           find(file, "cudnnBackendExecute", execute);
  }

  size_t (*version_)() = nullptr;
  std::string why_not_;
};

// Owns a descriptor. After a call that failed, ok() is false and all further calls do nothing.
class Descriptor {
 public:
  explicit Descriptor(DescriptorType type) { ok_ = Library::get().create_descriptor(type, &raw_) == 0; }
  Descriptor(Descriptor&& other) noexcept
      : raw_(std::exchange(other.raw_, nullptr)), ok_(std::exchange(other.ok_, false)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(raw_, other.raw_);
    std::swap(ok_, other.ok_);
    return *this;
  }
  ~Descriptor() {
    if (raw_ != nullptr) Library::get().destroy_descriptor(raw_);
  }

  RawDescriptor raw() const { return raw_; }
  bool ok() const { return ok_; }

  template <typename T>
  Descriptor& set(AttributeName name, AttributeType type, std::span<const T> values) {
    ok_ = ok_ && Library::get().set_attribute(raw_, name, type, static_cast<int64_t>(values.size()),
                                              values.data()) == 0;
    return *this;
  }
  template <typename T>
  Descriptor& set(AttributeName name, AttributeType type, const T& value) {
    return set(name, type, std::span<const T>(&value, 1));
  }
  Descriptor& set(AttributeName name, const Descriptor& other) {
    ok_ = ok_ && other.ok();
    return set(name, kDescriptor, other.raw_);
  }
  Descriptor& finalize() {
    ok_ = ok_ && Library::get().finalize(raw_) == 0;
    return *this;
  }

 private:
  RawDescriptor raw_ = nullptr;
  bool ok_ = false;
};

enum TensorId : int64_t { kQ = 1, kK, kV, kOut, kScale };

// (pages, heads, tokens, head_dim) over rows of several pages.
Descriptor tensor_of(TensorId id, const ConstTensorView& x, const EqualPages& pages) {
  const int64_t sizes[] = {pages.num_pages, x.size(1), pages.tokens, x.size(2)};
  const int64_t strides[] = {pages.tokens * x.stride(0), x.stride(1), x.stride(0), 1};
  Descriptor tensor(kTensor);
  tensor.set(kTensorDataType, kDataType, x.dtype() == DType::kF16 ? kHalf : kBFloat16)
      .set(kTensorDimensions, kInt64, std::span<const int64_t>(sizes))
      .set(kTensorStrides, kInt64, std::span<const int64_t>(strides))
      .set(kTensorId, kInt64, int64_t{id})
      .set(kTensorAlignment, kInt64, int64_t{16})
      .finalize();
  return tensor;
}

// A float that is handed over with each run.
Descriptor scalar_of(TensorId id) {
  const int64_t ones[] = {1, 1, 1, 1};
  Descriptor tensor(kTensor);
  tensor.set(kTensorDataType, kDataType, kFloat)
      .set(kTensorDimensions, kInt64, std::span<const int64_t>(ones))
      .set(kTensorStrides, kInt64, std::span<const int64_t>(ones))
      .set(kTensorId, kInt64, int64_t{id})
      .set(kTensorAlignment, kInt64, int64_t{16})
      .set(kTensorByValue, kBoolean, true)
      .finalize();
  return tensor;
}

std::array<int64_t, 13> key_of(const EqualPages& pages) {
  const auto& [q, k, v, out, num_pages, tokens, scale] = pages;
  return {static_cast<int64_t>(q.dtype()),
          num_pages,   tokens,      q.size(1),   q.size(2),   q.stride(0),   q.stride(1),
          k.stride(0), k.stride(1), v.stride(0), v.stride(1), out.stride(0), out.stride(1)};
}

}  // namespace

std::string cudnn_description() { return Library::get().description(); }

struct CudnnAttention::Plan {
  std::vector<Descriptor> parts;  // what the plan was made from, which must outlive it
  Descriptor plan{kExecutionPlan};
  int64_t workspace_bytes = 0;

  bool make(void* handle, const EqualPages& pages);
  bool choose_engine(void* handle, const Descriptor& graph);
  bool run(CudaDevice& device, void* handle, const EqualPages& pages) const;
};

bool CudnnAttention::Plan::make(void* handle, const EqualPages& pages) {
  parts.reserve(9);
  const Descriptor& q = parts.emplace_back(tensor_of(kQ, pages.q, pages));
  const Descriptor& k = parts.emplace_back(tensor_of(kK, pages.k, pages));
  const Descriptor& v = parts.emplace_back(tensor_of(kV, pages.v, pages));
  const Descriptor& out = parts.emplace_back(tensor_of(kOut, pages.out, pages));
  const Descriptor& scale = parts.emplace_back(scalar_of(kScale));
  Descriptor& attention = parts.emplace_back(kSdpaForward);
  attention.set(kSdpaQ, q).set(kSdpaK, k).set(kSdpaV, v).set(kSdpaOut, out).set(kSdpaScale, scale).finalize();
  Descriptor& graph = parts.emplace_back(kOperationGraph);
  graph.set(kGraphOperations, attention).set(kGraphHandle, kHandle, handle).finalize();
  return graph.ok() && choose_engine(handle, graph);
}

// The first engine that cuDNN recommends and can build.
bool CudnnAttention::Plan::choose_engine(void* handle, const Descriptor& graph) {
  Descriptor& heuristics = parts.emplace_back(kEngineHeuristics);
  heuristics.set(kHeuristicsGraph, graph).set(kHeuristicsModeName, kHeuristicsMode, kBestFirst).finalize();
  if (!heuristics.ok()) return false;
  const Library& library = Library::get();
  int64_t count = 0;
  if (library.get_attribute(heuristics.raw(), kHeuristicsResults, kDescriptor, 0, &count, nullptr) != 0)
    return false;
  std::vector<Descriptor> configs;
  std::vector<RawDescriptor> raw;
  for (int64_t i = 0; i < count; ++i) raw.push_back(configs.emplace_back(kEngineConfig).raw());
  if (library.get_attribute(heuristics.raw(), kHeuristicsResults, kDescriptor, count, &count, raw.data()) !=
      0)
    return false;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    Descriptor candidate(kExecutionPlan);
    candidate.set(kPlanHandle, kHandle, handle).set(kPlanConfig, configs[i]).finalize();
    int64_t found = 0;
    if (!candidate.ok() || library.get_attribute(candidate.raw(), kPlanWorkspaceBytes, kInt64, 1, &found,
                                                 &workspace_bytes) != 0) {
      continue;
    }
    parts.push_back(std::move(configs[i]));
    plan = std::move(candidate);
    return true;
  }
  return false;
}

bool CudnnAttention::Plan::run(CudaDevice& device, void* handle, const EqualPages& pages) const {
  const DeviceMemory workspace = device.allocate(static_cast<size_t>(std::max<int64_t>(workspace_bytes, 1)));
  if (workspace == nullptr) return false;
  float scale = pages.scale;
  const int64_t ids[] = {kQ, kK, kV, kOut, kScale};
  const void* const pointers[] = {pages.q.raw(), pages.k.raw(), pages.v.raw(), pages.out.raw(), &scale};
  Descriptor pack(kVariantPack);
  pack.set(kPackIds, kInt64, std::span<const int64_t>(ids))
      .set(kPackPointers, kPointer, std::span<const void* const>(pointers))
      .set(kPackWorkspace, kPointer, workspace.get())
      .finalize();
  return pack.ok() && Library::get().execute(handle, plan.raw(), pack.raw()) == 0;
}

CudnnAttention::CudnnAttention() = default;

CudnnAttention::~CudnnAttention() {
  plans_.clear();
  if (handle_ != nullptr) Library::get().destroy(handle_);
}

CudnnAttention::Plan* CudnnAttention::plan_of(CudaDevice& device, const EqualPages& pages) {
  if (plans_.size() >= kMaxPlans) plans_.clear();
  const auto [place, is_new] = plans_.try_emplace(key_of(pages));
  std::unique_ptr<Plan>& plan = place->second;
  if (!is_new) return plan.get();
  const Library& library = Library::get();
  if (handle_ == nullptr && library.create(&handle_) != 0) {
    handle_ = nullptr;
    return nullptr;
  }
  if (library.set_stream(handle_, device.stream()) != 0) return nullptr;
  auto made = std::make_unique<Plan>();
  if (made->make(handle_, pages)) {
    plan = std::move(made);
  } else {
    log_debug("cuDNN {} has no attention for {} pages of {} patches, {} heads of {}", library.description(),
              pages.num_pages, pages.tokens, pages.q.size(1), pages.q.size(2));
  }
  return plan.get();
}

bool CudnnAttention::run(CudaDevice& device, const EqualPages& pages) {
  if (!Library::get().usable() || !device.ok()) return false;
  const Plan* const plan = plan_of(device, pages);
  return plan != nullptr && plan->run(device, handle_, pages);
}

}  // namespace glyph::ops::cuda
