// On two GPUs or more: what they exchange is what it should be, call by call and recorded. With fewer nothing is tested.
#include <gtest/gtest.h>

#include <cmath>

#include "parallel/device_group.h"
#include "tensor/cuda_backend.h"

namespace glyph {
namespace {

// By our kernel where it can, or by NCCL alone.
class GpuGroupTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    const auto gpus = list_gpus();
    if (!gpus.ok() || gpus->size() < 2) GTEST_SKIP() << "two GPUs are needed";
    std::vector<Device*> pointers;
    for (int index = 0; index < 2; ++index) {
      devices_.push_back(open_cuda_device({.index = index}).value());
      pointers.push_back(devices_.back().get());
    }
    auto group = DeviceGroup::open(pointers, {.one_shot = GetParam()});
    ASSERT_TRUE(group.ok()) << group.status().message();
    group_ = *std::move(group);
  }

  // Values that a type holds exactly, and whose sums it does.
  static float value(int rank, int64_t i, int round) { return static_cast<float>((i * 7 + rank * 3 + round * 5) % 61) - 30.0f; }
  static float as_float(const ConstTensorView& view, int64_t i) { return value_at(view, {i}); }
  Tensor on_host(int rank, DType type, int64_t count, int round) {
    Tensor tensor(host_device(), type, {count});
    for (int64_t i = 0; i < count; ++i) {
      if (type == DType::kBF16) tensor.data<BF16>()[i] = to_bf16(value(rank, i, round));
      else tensor.data<float>()[i] = value(rank, i, round);
    }
    return tensor;
  }
  void fill(int rank, int round, Tensor& there) {
    const Tensor host = on_host(rank, there.dtype(), there.shape()[0], round);
    group_->device(rank).upload(there.view().raw(), host.view().raw(), host.num_bytes());
  }
  void expect(int rank, const Tensor& there, const std::function<float(int64_t)>& expected) {
    const Tensor host = host_copy(group_->device(rank), there.view());
    int64_t wrong = 0;
    for (int64_t i = 0; i < host.shape()[0]; ++i) wrong += as_float(host.view(), i) != expected(i) ? 1 : 0;
    EXPECT_EQ(wrong, 0) << "of " << host.shape()[0] << " on rank " << rank;
  }

  std::vector<std::unique_ptr<Device>> devices_;
  std::unique_ptr<DeviceGroup> group_;
};

TEST_P(GpuGroupTest, SumsOfAllSizes) {
  for (const DType type : {DType::kF32, DType::kBF16}) {
    for (const int64_t count : {2, 6, 4096, 4097, 8 * 4096, 64 * 4096, 64 * 4096 + 2, 3000 * 4096}) {
      const Status status = group_->run([&](int rank) -> Status {
        Device& device = group_->device(rank);
        Tensor x(device, type, {count});
        for (int round = 0; round < 5; ++round) {
          fill(rank, round, x);
          group_->communicator(rank).all_reduce(x.view());
          expect(rank, x, [&](int64_t i) { return value(0, i, round) + value(1, i, round); });
        }
        return device.take_status();
      });
      ASSERT_TRUE(status.ok()) << status.message();
    }
  }
}

TEST_P(GpuGroupTest, BroadcastsGathersAndSends) {
  for (const int64_t count : {4096, 600 * 4096}) {
    const Status status = group_->run([&](int rank) -> Status {
      Device& device = group_->device(rank);
      Communicator& communicator = group_->communicator(rank);
      Tensor x(device, DType::kF32, {count}), all(device, DType::kF32, {2 * count});
      fill(rank, 1, x);
      communicator.all_gather(x.view(), all.view());
      expect(rank, all, [&](int64_t i) { return value(i < count ? 0 : 1, i % count, 1); });
      if (rank == 1) communicator.send(x.view(), 0);
      else communicator.receive(x.view(), 1);
      expect(rank, x, [&](int64_t i) { return value(1, i, 1); });
      fill(rank, 2, x);
      communicator.broadcast(x.view());
      expect(rank, x, [&](int64_t i) { return value(0, i, 2); });
      return device.take_status();
    });
    ASSERT_TRUE(status.ok()) << status.message();
  }
}

// As a decode step does it: many small sums in a graph that is repeated.
TEST_P(GpuGroupTest, RecordedSums) {
  constexpr int kSums = 80, kRepeats = 50;
  const Status status = group_->run([&](int rank) -> Status {
    Device& device = group_->device(rank);
    Tensor from(device, DType::kF32, {4096}), x(device, DType::kF32, {4096});
    const auto queue = [&] {
      device.copy_bytes(x.view().raw(), from.view().raw(), x.num_bytes());
      for (int i = 0; i < kSums; ++i) {
        device.copy_bytes(x.view().raw(), from.view().raw(), x.num_bytes());
        group_->communicator(rank).all_reduce(x.view());
      }
    };
    queue();
    const auto recorded = device.record(queue);
    GLYPH_RETURN_IF_ERROR(group_->agree(rank, recorded == nullptr ? internal_error("nothing was recorded") : Status()));
    for (int round = 0; round < kRepeats; ++round) {
      fill(rank, round, from);
      recorded->repeat();
      expect(rank, x, [&](int64_t i) { return value(0, i, round) + value(1, i, round); });
    }
    return device.take_status();
  });
  ASSERT_TRUE(status.ok()) << status.message();
}

// A row of the sum goes into x, normed, and x normed is the result; the same bits on both ranks.
TEST_P(GpuGroupTest, SumsIntoNorms) {
  for (const auto& [rows, n] : {std::pair<int64_t, int64_t>{1, 4096}, {3, 80}, {8, 4096}, {64, 4096}, {2, 8192}}) {
    std::vector<float> results[2];
    bool one_kernel = false;
    const Status status = group_->run([&](int rank) -> Status {
      Device& device = group_->device(rank);
      Tensor branch(device, DType::kF32, {rows * n}), x(device, DType::kF32, {rows * n}), weight(device, DType::kF32, {n});
      Tensor out(device, DType::kF32, {rows, n});
      fill(rank, 3, branch);
      fill(0, 4, x);
      fill(0, 5, weight);
      const auto matrix = [&](Tensor& tensor) { return tensor.view().reshape({rows, n}); };
      const bool done = group_->communicator(rank).all_reduce_add_norm(
          {.branch = matrix(branch), .branch_weight = weight.view(), .next_weight = weight.view(), .eps = 1e-5f, .x = matrix(x), .out = out.view()});
      if (rank == 0) one_kernel = done;
      if (!done) return device.take_status();
      const Tensor host = host_copy(device, out.view());
      results[rank].assign(host.data<float>(), host.data<float>() + rows * n);
      return device.take_status();
    });
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(one_kernel, GetParam());
    if (!one_kernel) continue;
    EXPECT_EQ(results[0], results[1]);
    for (int64_t row = 0; row < rows; ++row) {
      const auto summed = [&](int64_t i) { return static_cast<double>(value(0, row * n + i, 3)) + value(1, row * n + i, 3); };
      double squares = 0, x_squares = 0;
      for (int64_t i = 0; i < n; ++i) squares += summed(i) * summed(i);
      const double scale = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
      const auto added = [&](int64_t i) { return value(0, row * n + i, 4) + summed(i) * scale * value(0, i, 5); };
      for (int64_t i = 0; i < n; ++i) x_squares += added(i) * added(i);
      const double x_scale = 1 / std::sqrt(x_squares / static_cast<double>(n) + 1e-5);
      double worst = 0;
      for (int64_t i = 0; i < n; ++i) {
        worst = std::max(worst, std::abs(results[0][static_cast<size_t>(row * n + i)] - added(i) * x_scale * value(0, i, 5)));
      }
      EXPECT_LT(worst, 1e-3) << rows << " x " << n;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, GpuGroupTest, ::testing::Values(false, true),
                         [](const auto& way) { return way.param ? "OneShot" : "Nccl"; });

}  // namespace
}  // namespace glyph
