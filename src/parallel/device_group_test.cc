#include "parallel/device_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace glyph {
namespace {

using ::testing::HasSubstr;

// Groups of so many devices of the host.
class DeviceGroupTest : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    std::vector<Device*> devices;
    for (int i = 0; i < GetParam(); ++i) devices.push_back(&devices_.emplace_back(std::make_unique<ReferenceDevice>()).operator*());
    group_ = DeviceGroup::open(devices).value();
  }
  Tensor tensor(int rank, std::initializer_list<float> values) {
    Tensor tensor(group_->device(rank), DType::kF32, {static_cast<int64_t>(values.size())});
    std::copy(values.begin(), values.end(), tensor.data<float>());
    return tensor;
  }
  static std::vector<float> values_of(const Tensor& tensor) {
    return {tensor.data<float>(), tensor.data<float>() + tensor.shape().num_elements()};
  }

  std::vector<std::unique_ptr<Device>> devices_;
  std::unique_ptr<DeviceGroup> group_;
};

TEST_P(DeviceGroupTest, SumsInTheOrderOfTheRanksOnAllOfThem) {
  const int size = GetParam();
  for (int round = 0; round < 50; ++round) {
    const Status status = group_->run([&](int rank) -> Status {
      const auto value = static_cast<float>(rank + round);
      Tensor x = tensor(rank, {value, 1, rank == 0 ? 1e8f : 1.0f});
      group_->communicator(rank).all_reduce(x.view());
      float third = 1e8f;
      for (int other = 1; other < size; ++other) third += 1.0f;
      const float sum = static_cast<float>(size * round) + static_cast<float>(size * (size - 1)) / 2;
      EXPECT_THAT(values_of(x), ::testing::ElementsAre(sum, static_cast<float>(size), third)) << rank;
      return {};
    });
    ASSERT_TRUE(status.ok());
  }
}

TEST_P(DeviceGroupTest, Bf16SumsAreRoundedOnce) {
  ASSERT_TRUE(group_->run([&](int rank) -> Status {
    Tensor x(group_->device(rank), DType::kBF16, {1});
    x.data<BF16>()[0] = to_bf16(1.0f + 0x1p-7f);
    group_->communicator(rank).all_reduce(x.view());
    EXPECT_EQ(x.data<BF16>()[0].bits, to_bf16(static_cast<float>(GetParam()) * (1.0f + 0x1p-7f)).bits);
    return {};
  }).ok());
}

TEST_P(DeviceGroupTest, BroadcastsGathersAndSends) {
  const int size = GetParam();
  ASSERT_TRUE(group_->run([&](int rank) -> Status {
    Communicator& communicator = group_->communicator(rank);
    EXPECT_EQ(communicator.rank(), rank);
    EXPECT_EQ(communicator.size(), size);
    Tensor x = tensor(rank, {static_cast<float>(rank + 5), static_cast<float>(rank)});
    communicator.broadcast(x.view());
    EXPECT_THAT(values_of(x), ::testing::ElementsAre(5, 0));

    const Tensor mine = tensor(rank, {static_cast<float>(10 * rank)});
    Tensor all(group_->device(rank), DType::kF32, {size});
    communicator.all_gather(mine.view(), all.view());
    for (int i = 0; i < size; ++i) EXPECT_EQ(all.data<float>()[i], static_cast<float>(10 * i));

    for (int from = 1; from < size; ++from) {  // rank 0 hears from each
      Tensor heard = tensor(rank, {-1});
      if (rank == from) communicator.send(mine.view(), 0);
      if (rank != 0) continue;
      communicator.receive(heard.view(), from);
      EXPECT_EQ(heard.data<float>()[0], static_cast<float>(10 * from));
    }
    return {};
  }).ok());
}

TEST_P(DeviceGroupTest, EveryRankHasAThreadOfItsOwn) {
  std::vector<std::thread::id> first(static_cast<size_t>(GetParam())), second = first;
  for (std::vector<std::thread::id>* ids : {&first, &second}) {
    ASSERT_TRUE(group_->run([&](int rank) -> Status {
      (*ids)[static_cast<size_t>(rank)] = std::this_thread::get_id();
      return {};
    }).ok());
  }
  EXPECT_EQ(first, second);
  EXPECT_EQ(first[0], std::this_thread::get_id());
  for (size_t i = 1; i < first.size(); ++i) EXPECT_NE(first[i], first[0]);
}

// What is refused together leaves the group as it was.
TEST_P(DeviceGroupTest, AgreesOnAnErrorOfOneRank) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> gone_on{0};
    const Status status = group_->run([&](int rank) -> Status {
      const bool fails = round % 2 == 1 && rank == GetParam() - 1;
      GLYPH_RETURN_IF_ERROR(group_->agree(rank, fails ? exhausted("no room") : Status()));
      ++gone_on;
      return {};
    });
    EXPECT_EQ(status.ok(), round % 2 == 0);
    EXPECT_EQ(status.message(), round % 2 == 0 ? "" : "no room");
    EXPECT_EQ(gone_on, round % 2 == 0 ? GetParam() : 0);
  }
}

// A rank that fails alone frees those that wait for it, wherever they do; the group stays broken and says why.
TEST_P(DeviceGroupTest, ARankThatFailsFreesTheOthers) {
  const int last = GetParam() - 1;
  const Status status = group_->run([&](int rank) -> Status {
    if (rank == last) return internal_error("the last rank is lost");
    Tensor x = tensor(rank, {1});
    group_->communicator(rank).all_reduce(x.view());
    if (rank == 0) group_->communicator(rank).receive(x.view(), last);
    return group_->agree(rank, {});
  });
  EXPECT_THAT(status.message(), HasSubstr("the last rank is lost"));
  bool called = false;
  const Status later = group_->run([&](int) -> Status {
    called = true;
    return {};
  });
  EXPECT_THAT(later.message(), HasSubstr("the last rank is lost"));
  EXPECT_FALSE(called);
}

TEST_P(DeviceGroupTest, GivingUpBreaksTheGroup) {
  const Status status = group_->run([&](int rank) -> Status {
    const Status agreed = group_->agree(rank, rank == 0 ? exhausted("no room") : Status());
    return agreed.ok() ? agreed : group_->give_up(agreed);
  });
  EXPECT_EQ(status.message(), "no room");
  EXPECT_EQ(group_->run([](int) -> Status { return {}; }).message(), "no room");
}

INSTANTIATE_TEST_SUITE_P(Sizes, DeviceGroupTest, ::testing::Values(2, 3, 4));

TEST(DeviceGroup, OneDeviceRunsOnTheCallersThread) {
  ReferenceDevice device;
  DeviceGroup group(device);
  EXPECT_EQ(group.size(), 1);
  std::thread::id id;
  EXPECT_EQ(group.run([&](int rank) -> Status {
    id = std::this_thread::get_id();
    return group.agree(rank, refused("no"));
  }).message(), "no");
  EXPECT_EQ(id, std::this_thread::get_id());
  EXPECT_TRUE(group.run([](int) -> Status { return {}; }).ok());
}

}  // namespace
}  // namespace glyph
