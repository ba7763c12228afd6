// The shared tests of ops on a GPU. Without one they are skipped; with --require-gpu that is a failure.
#include <cstdio>
#include <cstring>

#include "ops/cuda/cuda_step_chain.h"
#include "ops/cuda/matrix_choices.h"
#include "ops/linear.h"
#include "ops/ops_test.h"
#include "tensor/cuda_backend.h"

namespace glyph::ops {
namespace {

std::unique_ptr<Device> open_gpu() {
  Result<std::unique_ptr<Device>> device = open_cuda_device();
  return device.ok() ? std::move(device).value() : nullptr;
}

const DeviceCase kGpus[] = {{"Cuda", open_gpu}};
INSTANTIATE_TEST_SUITE_P(Gpu, OpsTest, testing::ValuesIn(kGpus), name_of_case);

// What does not fit is an error of one pass: the next goes on.
TEST(CudaErrors, NoMemoryIsReportedOnceAndForgotten) {
  const std::unique_ptr<Device> device = open_gpu();
  if (device == nullptr) GTEST_SKIP() << "there is no GPU";
  const Tensor huge(*device, DType::kF32, {int64_t{1} << 40});
  EXPECT_TRUE(huge.empty());
  Data data(1);
  const Tensor numbers = data.floats({8});
  Tensor back = data.empty({8});
  device->download(back.view().raw(), numbers.view().raw(), back.num_bytes());
  EXPECT_EQ(value_at(back.view(), {3}), 0.0f) << "after an error results are zeros";
  EXPECT_EQ(device->take_status().code(), StatusCode::kExhausted);
  EXPECT_TRUE(device->take_status().ok());
  const Tensor there = numbers.copy(*device);
  device->download(back.view().raw(), there.view().raw(), back.num_bytes());
  EXPECT_TRUE(device->take_status().ok());
  EXPECT_EQ(difference(back, numbers), 0.0);
}

// To pinned memory and back, while what lies on either side is used again by work behind.
TEST(PinnedCopies, HappenInTheOrderOfTheWork) {
  const std::unique_ptr<Device> device = open_gpu();
  if (device == nullptr) GTEST_SKIP() << "there is no GPU";
  const std::unique_ptr<Device> host = device->pinned_host();
  Data data(7);
  const Tensor first = data.floats({1024, 4096}), second = data.floats({1024, 4096});
  const size_t bytes = first.num_bytes();
  const DeviceMemory pinned = host->allocate(bytes);
  ASSERT_NE(pinned, nullptr);
  Tensor there = first.copy(*device), restored(*device, DType::kF32, first.shape()), restored_too(*device, DType::kF32, first.shape());
  EXPECT_TRUE(device->queue_download(pinned.get(), there.view().raw(), bytes));
  device->upload(there.view().raw(), second.view().raw(), bytes);
  EXPECT_TRUE(device->queue_upload(restored.view().raw(), pinned.get(), bytes));
  EXPECT_TRUE(device->queue_download(pinned.get(), there.view().raw(), bytes));
  EXPECT_TRUE(device->queue_upload(restored_too.view().raw(), pinned.get(), bytes));
  EXPECT_EQ(difference(host_copy(*device, restored.view()), first), 0.0);
  EXPECT_EQ(difference(host_copy(*device, restored_too.view()), second), 0.0);
  EXPECT_EQ(std::memcmp(pinned.get(), second.view().raw(), bytes), 0);
  const Tensor huge(*device, DType::kF32, {int64_t{1} << 40});
  EXPECT_FALSE(device->queue_download(pinned.get(), there.view().raw(), bytes)) << "after an error nothing is copied";
  EXPECT_EQ(device->take_status().code(), StatusCode::kExhausted);
  EXPECT_TRUE(device->queue_download(pinned.get(), there.view().raw(), bytes));
}

// Kernels of a record start before the one ahead of them has ended: whatever they read too early shows in some repetition.
TEST(RecordedStep, GivesWhatItsCallsGive) {
  const std::unique_ptr<Device> device = open_gpu();
  if (device == nullptr) GTEST_SKIP() << "there is no GPU";
  for (const DType type : {DType::kBF16, DType::kE4M3, DType::kI8, DType::kI4}) {
    for (const int64_t rows : {1, 2, 8, 9, 32}) {
      StepChain chain(*device, {.rows = rows}, type);
      const TensorView x = chain.x().view();
      const Tensor before = chain.x().copy(*device);
      const auto restart = [&] { device->copy_bytes(x.raw(), before.view().raw(), before.num_bytes()); };
      chain.queue();
      const Tensor expected = host_copy(*device, x);
      const std::unique_ptr<RecordedWork> work = device->record([&] { chain.queue(); });
      ASSERT_NE(work, nullptr);
      for (int repetition = 0; repetition < 20; ++repetition) {
        restart();
        work->repeat();
        ASSERT_EQ(difference(host_copy(*device, x), expected), 0.0)
            << name_of(type) << ", " << rows << " rows, repetition " << repetition;
      }
      ASSERT_TRUE(device->take_status().ok());
    }
  }
}

Tensor product_on(Device& device, const Tensor& x, const Tensor& weight) {
  Tensor out(host_device(), DType::kF32, {x.shape()[0], weight.shape()[0]});
  Views at(device);
  linear(device, at.in(x), {.weight = at.in(weight), .bias = {}}, at.out(out));
  at.finish();
  return out;
}

// A table that one device has timed does for another.
TEST(MatrixChoices, AreTakenOver) {
  const std::unique_ptr<Device> first = open_gpu(), second = open_gpu();
  if (first == nullptr) GTEST_SKIP() << "there is no GPU";
  Data data(31);
  const Tensor x = data.floats({40, 128}, DType::kBF16), weight = data.floats({64, 128}, DType::kBF16);
  EXPECT_TRUE(cuda::matrix_choices(*first).empty());
  cuda::time_matrices_at_once(*first, true);
  const Tensor expected = product_on(*first, x, weight);
  const std::vector<cuda::MatrixChoice> table = cuda::matrix_choices(*first);
  ASSERT_EQ(table.size(), 1u);
  EXPECT_EQ(table[0].shape.rows, 40);
  EXPECT_EQ(table[0].shape.depth, 128);
  EXPECT_GT(table[0].seconds, 0);
  EXPECT_LE(table[0].seconds, table[0].first_seconds);
  EXPECT_EQ(cuda::matrix_choices_identity(*first), cuda::matrix_choices_identity(*second));
  cuda::set_matrix_choices(*second, table);
  EXPECT_EQ(difference(product_on(*second, x, weight), expected), 0.0);
  ASSERT_EQ(cuda::matrix_choices(*second).size(), 1u);
  EXPECT_EQ(cuda::matrix_choices(*second)[0].algorithm, table[0].algorithm);
}

}  // namespace
}  // namespace glyph::ops

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const bool required = argc > 1 && std::strcmp(argv[1], "--require-gpu") == 0;
  const auto device = glyph::open_cuda_device();
  if (required && !device.ok()) {
    std::fprintf(stderr, "a GPU was required: %s\n", device.status().message().c_str());
    return 1;
  }
  return RUN_ALL_TESTS();
}
