// What the tests of ops share: random tensors, and one body that runs an op on the reference device and on the device
// under test.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tensor/device.h"
#include "tensor/tensor.h"

namespace glyph::ops {

class Data {
 public:
  explicit Data(uint32_t seed) : random_(seed) {}

  Tensor floats(const Shape& shape, DType type = DType::kF32, float scale = 1.0f) {
    Tensor tensor(device_, type, shape);
    std::normal_distribution<float> normal(0, scale);
    for (int64_t i = 0; i < shape.num_elements(); ++i) {
      const float value = normal(random_);
      switch (type) {
        case DType::kF16:
          tensor.data<F16>()[i] = to_f16(value);
          break;
        case DType::kBF16:
          tensor.data<BF16>()[i] = to_bf16(value);
          break;
        default:
          tensor.data<float>()[i] = value;
          break;
      }
    }
    return tensor;
  }
  Tensor empty(const Shape& shape, DType type = DType::kF32) {
    Tensor tensor(device_, type, shape);
    std::memset(tensor.view().raw(), 0xFF,
                tensor.num_bytes());  // NaN in every type: what is not written shows
    return tensor;
  }
  Tensor copy(const Tensor& tensor) { return tensor.copy(device_); }
  ReferenceDevice& device() { return device_; }

 private:
  ReferenceDevice device_;
  std::mt19937 random_;
};

// Largest difference, relative to the largest magnitude of `expected`.
inline double difference(const Tensor& actual, const Tensor& expected) {
  EXPECT_EQ(actual.shape(), expected.shape());
  const int64_t n = actual.shape().num_elements();
  double worst = 0, largest = 1e-6;
  const auto element = [n](const Tensor& tensor, int64_t i) -> double {
    const int64_t columns = tensor.shape()[1];
    if (is_quantised(tensor.dtype())) return value_at(tensor.view(), {i / columns, i % columns});
    return value_at(tensor.view().reshape({n}), {i});
  };
  for (int64_t i = 0; i < n; ++i) {
    const double a = element(actual, i), e = element(expected, i);
    if (std::isnan(a) || std::isnan(e)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, std::abs(a - e));
    largest = std::max(largest, std::abs(e));
  }
  return worst / largest;
}

constexpr double kF32Tolerance = 3e-6;
constexpr double kBf16Tolerance = 1.2e-2;  // results are rounded to 8 bits, attention weights too
constexpr double kF16Tolerance = 2e-3;     // to 11 bits
inline double tolerance(DType type) {
  if (type == DType::kF16) return kF16Tolerance;
  return type == DType::kBF16 ? kBf16Tolerance : kF32Tolerance;
}
// Of attention over keys and values of `type`: e4m3 is widened to bf16 wherever that is what is multiplied.
inline double kv_tolerance(DType type) { return tolerance(type == DType::kE4M3 ? DType::kBF16 : type); }

// Tensors of the host as a device sees them: themselves, or copies in a GPU's memory.
class Views {
 public:
  explicit Views(Device& device) : device_(device) {}

  ConstTensorView in(const Tensor& tensor) {
    if (device_.host_memory()) return tensor.view();
    copies_.push_back(std::make_unique<Tensor>(tensor.copy(device_)));
    return std::as_const(*copies_.back()).view();
  }
  // Read and written; finish() brings it back.
  TensorView out(Tensor& tensor) {
    if (device_.host_memory()) return tensor.view();
    copies_.push_back(std::make_unique<Tensor>(tensor.copy(device_)));
    results_.push_back({&tensor, copies_.back().get()});
    return copies_.back()->view();
  }
  void finish() {
    for (const auto& [host, there] : results_) {
      device_.download(host->view().raw(), there->view().raw(), host->num_bytes());
    }
    const Status status = device_.take_status();
    ASSERT_TRUE(status.ok()) << status.message();
  }

 private:
  Device& device_;
  std::vector<std::unique_ptr<Tensor>> copies_;
  std::vector<std::pair<Tensor*, Tensor*>> results_;
};

// A device to test; null when this machine has none like it.
struct DeviceCase {
  std::string name;
  std::function<std::unique_ptr<Device>()> open;
};
inline void PrintTo(const DeviceCase& device, std::ostream* out) { *out << device.name; }
inline std::string name_of_case(const testing::TestParamInfo<DeviceCase>& device) { return device.param.name; }

class OpsTest : public testing::TestWithParam<DeviceCase> {
 protected:
  using Op = std::function<void(Device& device, Views& at)>;

  void SetUp() override {
    device_ = GetParam().open();
    if (device_ == nullptr) GTEST_SKIP() << "this machine has no such device";
  }
  bool on_host_processor() const { return device_->kind() == DeviceKind::kCpu; }
  // What this device computes with.
  std::vector<DType> types() const {
    if (on_host_processor()) return {DType::kF32, DType::kBF16};
    return {DType::kF32, DType::kBF16, DType::kF16};
  }
  // Calls `op` for both devices; it writes to the tensor that `result` holds at that time.
  void run_both(Tensor& expected, Tensor& actual, const Op& op) {
    result = &expected;
    Views host(host_device());
    op(host_device(), host);
    result = &actual;
    Views there(*device_);
    op(*device_, there);
    there.finish();
  }

  std::unique_ptr<Device> device_;
  Tensor* result = nullptr;
};

}  // namespace glyph::ops
