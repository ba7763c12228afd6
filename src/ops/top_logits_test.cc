#include "ops/top_logits.h"

#include <algorithm>
#include <numeric>

#include "ops/ops_test.h"
#include "tensor/cuda_backend.h"

namespace glyph::ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TopLogits top_on_host(const ConstTensorView& row) {
  Tensor out(host_device(), DType::kF32, {1, kTopLogitsSize});
  top_logits(host_device(), row, out.view());
  TopLogits top;
  std::memcpy(&top, out.view().raw(), sizeof(top));
  return top;
}

class TopLogitsTest : public OpsTest {
 protected:
  std::vector<TopLogits> top_of(const Tensor& logits) {
    Tensor out = data_.empty({logits.shape()[0], kTopLogitsSize});
    Views at(*device_);
    top_logits(*device_, at.in(logits), at.out(out));
    at.finish();
    std::vector<TopLogits> tops(static_cast<size_t>(logits.shape()[0]));
    std::memcpy(tops.data(), out.view().raw(), out.num_bytes());
    return tops;
  }
  // Against a sort of the whole row.
  void expect_top(const Tensor& logits) {
    const std::vector<TopLogits> tops = top_of(logits);
    const int64_t n = logits.shape()[1];
    for (size_t r = 0; r < tops.size(); ++r) {
      const float* row = logits.view().row<float>(static_cast<int64_t>(r));
      std::vector<int32_t> order(static_cast<size_t>(n));
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return row[a] > row[b]; });
      ASSERT_EQ(tops[r].count, std::min<int64_t>(n, TopLogits::kMost));
      ASSERT_EQ(tops[r].bad, 0);
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(row[i]) - row[order[0]]);
      EXPECT_NEAR(tops[r].log_sum, row[order[0]] + std::log(sum), 1e-6) << "row " << r << " of " << n;
      for (int32_t i = 0; i < tops[r].count; ++i) {
        ASSERT_EQ(tops[r].ids[i], order[static_cast<size_t>(i)]) << "place " << i << " of " << n;
        ASSERT_EQ(tops[r].values[i], row[tops[r].ids[i]]);
      }
    }
  }

  Data data_{3};
};

TEST_P(TopLogitsTest, AreThoseOfASortedRow) {
  for (const int64_t n : {1, 2, 63, 64, 65, 4095, 4096, 4097, 8192, 40001, 151552}) {
    expect_top(data_.floats({n > 10000 ? 3 : 7, n}, DType::kF32, 4));
  }
}

TEST_P(TopLogitsTest, TakesLongerRowsThanBlocksSortAtOnce) { expect_top(data_.floats({2, 300000})); }

TEST_P(TopLogitsTest, PutsTheLowerIdFirstAmongEquals) {
  Tensor logits = data_.floats({4, 9000});
  float* values = logits.data<float>();
  for (int64_t i = 0; i < 4 * 9000; ++i) values[i] = std::round(values[i] * 2) / 2;
  for (int64_t i = 9000; i < 2 * 9000; ++i) values[i] = 1.5f;
  for (int64_t i = 2 * 9000; i < 3 * 9000; ++i) values[i] = i % 3 == 0 ? -0.0f : 0.0f;
  expect_top(logits);
}

TEST_P(TopLogitsTest, OrdersRemovedAndLargestValues) {
  Tensor logits = data_.floats({2, 500});
  std::fill(logits.data<float>() + 20, logits.data<float>() + 480, -kInfinity);
  logits.data<float>()[600] = std::numeric_limits<float>::max();
  logits.data<float>()[601] = std::numeric_limits<float>::lowest();
  expect_top(logits);
}

TEST_P(TopLogitsTest, SaysWhichRowsAreBad) {
  Tensor logits = data_.floats({4, 5000});
  logits.data<float>()[4999] = std::numeric_limits<float>::quiet_NaN();
  logits.data<float>()[5000 + 77] = kInfinity;
  std::fill(logits.data<float>() + 3 * 5000, logits.data<float>() + 4 * 5000, -kInfinity);
  const std::vector<TopLogits> tops = top_of(logits);
  EXPECT_NE(tops[0].bad, 0);
  EXPECT_NE(tops[1].bad, 0);
  EXPECT_EQ(tops[2].bad, 0);
  EXPECT_EQ(tops[3].bad, 0);
  EXPECT_EQ(tops[3].values[0], -kInfinity);
  EXPECT_EQ(tops[3].log_sum, -kInfinity);
}

std::unique_ptr<Device> open_reference() { return std::make_unique<ReferenceDevice>(); }
std::unique_ptr<Device> open_gpu() {
  Result<std::unique_ptr<Device>> device = open_cuda_device();
  return device.ok() ? std::move(device).value() : nullptr;
}
const DeviceCase kDevices[] = {{"Reference", open_reference}, {"Cuda", open_gpu}};
INSTANTIATE_TEST_SUITE_P(Devices, TopLogitsTest, testing::ValuesIn(kDevices), name_of_case);

// A row and its pieces, wherever it is cut.
TEST(MergedTopLogits, AreThoseOfTheWholeRow) {
  Data data(5);
  for (const int64_t n : {3, 100, 1000}) {
    for (const bool equals : {false, true}) {
      Tensor row = data.floats({1, n}, DType::kF32, 4);
      float* values = row.data<float>();
      for (int64_t i = 0; i < n && equals; ++i) values[i] = std::round(values[i]);
      const TopLogits whole = top_on_host(row.view());
      for (const std::vector<int64_t>& cuts : {std::vector<int64_t>{0, n}, {0, 1, n}, {0, n / 2, n}, {0, n / 4, n / 3, n - 1, n}}) {
        std::vector<TopLogits> pieces;
        for (size_t i = 0; i + 1 < cuts.size(); ++i) {
          if (cuts[i] < cuts[i + 1]) pieces.push_back(top_on_host(row.view().slice(1, cuts[i], cuts[i + 1])));
          else pieces.push_back({.values = {}, .ids = {}, .log_sum = -kInfinity, .count = 0, .bad = 0});
        }
        const TopLogits merged = merge(pieces, std::span(cuts).first(pieces.size()));
        ASSERT_EQ(merged.count, whole.count);
        EXPECT_EQ(merged.bad, 0);
        EXPECT_NEAR(merged.log_sum, whole.log_sum, 1e-9);
        for (int32_t i = 0; i < whole.count; ++i) {
          ASSERT_EQ(merged.ids[i], whole.ids[i]) << "place " << i << " of " << n;
          ASSERT_EQ(merged.values[i], whole.values[i]);
        }
      }
    }
  }
}

TEST(MergedTopLogits, AreBadWhereAPieceIs) {
  Data data(6);
  Tensor row = data.floats({1, 200});
  row.data<float>()[150] = kInfinity;
  const TopLogits pieces[] = {top_on_host(row.view().slice(1, 0, 100)), top_on_host(row.view().slice(1, 100, 200))};
  EXPECT_NE(merge(pieces, std::vector<int64_t>{0, 100}).bad, 0);
  std::fill_n(row.data<float>(), 200, -kInfinity);
  const TopLogits none[] = {top_on_host(row.view().slice(1, 0, 100)), top_on_host(row.view().slice(1, 100, 200))};
  EXPECT_EQ(merge(none, std::vector<int64_t>{0, 100}).bad, 0);
  EXPECT_EQ(merge(none, std::vector<int64_t>{0, 100}).log_sum, -kInfinity);
}

TEST(LogitsRow, IsAllOfItOrFetchesAllOfIt) {
  const std::vector<float> values{1, 3, 2};
  const LogitsRow whole(values);
  EXPECT_EQ(whole.top(), nullptr);
  EXPECT_EQ(whole.size(), 3);
  EXPECT_EQ(whole.all()->data(), values.data());
  const TopLogits top{};
  int fetched = 0;
  const LogitsRow part(top, 3, [&]() -> Result<std::span<const float>> {
    ++fetched;
    return std::span<const float>(values);
  });
  EXPECT_EQ(part.top(), &top);
  EXPECT_EQ(fetched, 0);
  EXPECT_EQ(part.all()->data(), values.data());
  EXPECT_EQ(fetched, 1);
}

}  // namespace
}  // namespace glyph::ops
