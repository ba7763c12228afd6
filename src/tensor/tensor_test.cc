#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "tensor/cpu_device.h"
#include "tensor/workspace.h"

namespace glyph {
namespace {

TEST(DType, Bf16RoundsToNearestEven) {
  EXPECT_EQ(to_bf16(1.0f).bits, 0x3F80);
  EXPECT_EQ(to_bf16(1.0f + 0x1p-8f).bits, 0x3F80);            // half way, even below
  EXPECT_EQ(to_bf16(1.0f + 0x1p-7f + 0x1p-8f).bits, 0x3F82);  // half way, even above
  EXPECT_EQ(to_bf16(std::numeric_limits<float>::infinity()).bits, 0x7F80);
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::nanf("")))));
  EXPECT_EQ(to_float(to_bf16(-3.5f)), -3.5f);
}

TEST(DType, EveryF16SurvivesARoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const F16 value{static_cast<uint16_t>(bits)};
    const float wide = to_float(value);
    if (std::isnan(wide)) continue;
    ASSERT_EQ(to_f16(wide).bits, value.bits) << bits;
  }
  EXPECT_EQ(to_float(F16{0x3C00}), 1.0f);
  EXPECT_EQ(to_float(F16{0x0001}), 0x1p-24f);
  EXPECT_EQ(to_f16(1e6f).bits, 0x7C00);
  EXPECT_EQ(to_f16(1.0f + 0x1p-11f).bits, 0x3C00);
}

TEST(DType, EveryE4M3SurvivesARoundTrip) {
  for (int bits = 0; bits < 0x100; ++bits) {
    const E4M3 value{static_cast<uint8_t>(bits)};
    if (std::isnan(to_float(value))) continue;
    ASSERT_EQ(to_e4m3(to_float(value)).bits, value.bits) << bits;
  }
  EXPECT_TRUE(std::isnan(to_float(to_e4m3(std::nanf("")))));
  EXPECT_EQ(to_float(to_e4m3(1e9f)), 448.0f);
  EXPECT_EQ(to_float(to_e4m3(-std::numeric_limits<float>::infinity())), -448.0f);
}

TEST(DType, E4M3RoundsToNearestEven) {
  for (int bits = 0; bits < 0x7E; ++bits) {
    const float low = to_float(E4M3{static_cast<uint8_t>(bits)}), high = to_float(E4M3{static_cast<uint8_t>(bits + 1)});
    const float middle = (low + high) / 2;
    ASSERT_EQ(to_float(to_e4m3(middle)), bits % 2 == 0 ? low : high) << bits;
    ASSERT_EQ(to_float(to_e4m3(std::nextafter(middle, 0.0f))), low) << bits;
    ASSERT_EQ(to_float(to_e4m3(std::nextafter(middle, 1e9f))), high) << bits;
  }
}

// Rows of a quantised tensor keep their scales.
TEST(TensorView, SlicesQuantisedRows) {
  ReferenceDevice device;
  Tensor tensor(device, DType::kI4, {5, 128});
  EXPECT_EQ(tensor.num_bytes(), size_t{5 * 64 + 5 * 2 * 2});
  std::memset(tensor.view().raw(), 0x98, tensor.num_bytes());  // elements 0, 1, 0, 1, ...
  auto* scales = static_cast<BF16*>(tensor.view().scales());
  for (int i = 0; i < 10; ++i) scales[i] = to_bf16(static_cast<float>(i));
  const ConstTensorView rows = std::as_const(tensor).view().rows(2, 4);
  EXPECT_EQ(value_at(rows, {0, 0}), 0.0f);
  EXPECT_EQ(value_at(rows, {0, 1}), 4.0f);
  EXPECT_EQ(value_at(rows, {1, 127}), 7.0f);
  Tensor narrow(device, DType::kE4M3, {3, 16});
  static_cast<float*>(narrow.view().scales())[1] = 2;
  narrow.view().row<E4M3>(1)[5] = to_e4m3(1.5f);
  EXPECT_EQ(value_at(std::as_const(narrow).view().rows(1, 3), {0, 5}), 3.0f);
}

TEST(TensorView, SlicesAndSplits) {
  ReferenceDevice device;
  Tensor tensor(device, DType::kF32, {3, 8});
  for (int i = 0; i < 24; ++i) tensor.data<float>()[i] = static_cast<float>(i);
  const ConstTensorView middle = tensor.view().slice(1, 4, 8).rows(1, 3);
  EXPECT_EQ(middle.shape(), (Shape{2, 4}));
  EXPECT_FALSE(middle.dense());
  EXPECT_EQ(value_at(middle, {1, 0}), 20.0f);
  const ConstTensorView heads = middle.split_last(2);
  EXPECT_EQ(heads.shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(value_at(heads, {1, 1, 1}), 23.0f);
  EXPECT_EQ(tensor.view().reshape({6, 4}).row<float>(5)[3], 23.0f);
}

TEST(Tensor, CopiesAndAligns) {
  CpuDevice device({.num_threads = 1});
  Tensor tensor(device, DType::kBF16, {5});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data<BF16>()) % 64, 0u);
  std::memset(tensor.data<BF16>(), 7, tensor.num_bytes());
  const Tensor other = tensor.copy(device);
  EXPECT_EQ(std::memcmp(other.data<BF16>(), tensor.data<BF16>(), tensor.num_bytes()), 0);
  EXPECT_NE(other.data<BF16>(), tensor.data<BF16>());
}

TEST(Workspace, ReusesWhatAFrameGaveBack) {
  ReferenceDevice device;
  Workspace workspace(device);
  void* first = nullptr;
  {
    Workspace::Frame frame(workspace);
    first = workspace.take(DType::kF32, {1000}).raw();
    const TensorView second = workspace.take(DType::kF32, {1});
    EXPECT_GE(static_cast<std::byte*>(second.raw()) - static_cast<std::byte*>(first), 4000);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(second.raw()) % 64, 0u);
  }
  const size_t held = workspace.num_bytes();
  {
    Workspace::Frame frame(workspace);
    EXPECT_EQ(workspace.take(DType::kF32, {1000}).raw(), first);
    workspace.take(DType::kF32, {int64_t{8} << 20});  // larger than a chunk
    EXPECT_GE(workspace.num_bytes(), held + (size_t{32} << 20));
  }
  Workspace::Frame frame(workspace);
  EXPECT_EQ(workspace.take(DType::kF32, {1000}).raw(), first);
}

TEST(CpuDevice, KeepsToTheLevelItWasGiven) {
  CpuDevice device({.num_threads = 1, .max_level = CpuLevel::kBaseline});
  EXPECT_EQ(device.level(), CpuLevel::kBaseline);
  EXPECT_FALSE(device.prefers_bf16());
  EXPECT_EQ(&device.cpu(), &device);
}

}  // namespace
}  // namespace glyph
