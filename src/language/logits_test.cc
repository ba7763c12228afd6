#include "language/logits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace glyph {
namespace {

constexpr int64_t kVocab = 100;

// Row i is 1000 * i, 1000 * i + 1, ...
Tensor numbered_rows(int64_t rows) {
  Tensor all(host_device(), DType::kF32, {rows, kVocab});
  for (int64_t i = 0; i < rows * kVocab; ++i) all.data<float>()[i] = static_cast<float>(1000 * (i / kVocab) + i % kVocab);
  return all;
}

// The same, as if it stayed elsewhere.
struct Elsewhere {
  int num_fetched = 0;
  Status failure = {};

  Logits logits(int64_t rows) {
    const auto all = std::make_shared<Tensor>(numbered_rows(rows));
    std::vector<ops::TopLogits> top(static_cast<size_t>(rows));
    for (int64_t i = 0; i < rows; ++i) top[static_cast<size_t>(i)].values[0] = static_cast<float>(1000 * i + kVocab - 1);
    return Logits(std::move(top), kVocab, [this, all](int64_t row, std::span<float> to) -> Status {
      ++num_fetched;
      std::copy_n(all->view().row<float>(row), kVocab, to.begin());
      return failure;
    });
  }
};

std::vector<float> floats_of(const Tensor& all) { return {all.data<float>(), all.data<float>() + all.shape().num_elements()}; }

TEST(Logits, OfAHostAreThere) {
  const Logits logits(numbered_rows(3));
  EXPECT_EQ(logits.num_rows(), 3);
  EXPECT_EQ(logits.row(2).top(), nullptr);
  EXPECT_EQ(logits.row(2).size(), kVocab);
  EXPECT_EQ(logits.row(2).all().value()[7], 2007);
  EXPECT_EQ(floats_of(logits.copy().value()), floats_of(numbered_rows(3)));
  EXPECT_EQ(Logits().num_rows(), 0);
  EXPECT_EQ(Logits(Tensor()).num_rows(), 0);
}

TEST(Logits, ThatAreElsewhereAreFetchedRowByRow) {
  Elsewhere elsewhere;
  const Logits logits = elsewhere.logits(3);
  EXPECT_EQ(logits.num_rows(), 3);
  ASSERT_NE(logits.row(1).top(), nullptr);
  EXPECT_EQ(logits.row(1).top()->values[0], 1099);
  EXPECT_EQ(logits.row(1).size(), kVocab);
  EXPECT_EQ(elsewhere.num_fetched, 0);
  const ops::LogitsRow first = logits.row(0), second = logits.row(1);
  EXPECT_EQ(second.all().value()[5], 1005);
  EXPECT_EQ(second.all().value()[6], 1006);
  EXPECT_EQ(logits.row(1).all().value()[7], 1007);
  EXPECT_EQ(elsewhere.num_fetched, 1) << "once for all who ask in turn";
  EXPECT_EQ(first.all().value()[5], 5);
  EXPECT_EQ(elsewhere.num_fetched, 2);
  EXPECT_EQ(floats_of(logits.copy().value()), floats_of(numbered_rows(3)));
}

TEST(Logits, SayWhyARowIsLost) {
  Elsewhere elsewhere;
  const Logits logits = elsewhere.logits(2);
  elsewhere.failure = internal_error("the GPU is gone");
  EXPECT_EQ(logits.row(1).all().status().message(), "the GPU is gone");
  EXPECT_EQ(logits.copy().status().message(), "the GPU is gone");
  elsewhere.failure = {};
  EXPECT_EQ(logits.row(1).all().value()[0], 1000) << "what failed is not kept";
}

}  // namespace
}  // namespace glyph
