#include "language/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace glyph {
namespace {

constexpr int32_t kImage = 99;

class PromptTest : public ::testing::Test {
 protected:
  PageFeatures page(int64_t height, int64_t width) {
    return {.grid = {height, width},
            .merge_size = 2,
            .values = Tensor(device_, DType::kF32, {height * width / 4, 8})};
  }
  ReferenceDevice device_;
};

using Triple = std::array<int32_t, 3>;
std::vector<Triple> triples(const Prompt& prompt) {
  std::vector<Triple> result;
  for (const ops::TokenPosition& p : prompt.positions) result.push_back({p.time, p.height, p.width});
  return result;
}

// A page takes as many positions as its longer side has tokens; text goes on behind it on all axes.
TEST_F(PromptTest, CountsAPageByItsLongerSide) {
  const PageFeatures first = page(4, 2), second = page(2, 6);
  const PageFeatures* pages[] = {&first, &second};
  const std::vector<int32_t> ids{1, kImage, kImage, 2, kImage, kImage, kImage, 3};
  const Prompt prompt = make_prompt(ids, pages, kImage, 10).value();
  EXPECT_EQ(triples(prompt), (std::vector<Triple>{{10, 10, 10},
                                                  {11, 11, 11},
                                                  {11, 12, 11},
                                                  {13, 13, 13},
                                                  {14, 14, 14},
                                                  {14, 14, 15},
                                                  {14, 14, 16},
                                                  {17, 17, 17}}));
  EXPECT_EQ(prompt.next_position, 18);
  EXPECT_EQ(prompt.feature_begin, (std::vector<int64_t>{1, 4}));
}

TEST_F(PromptTest, RefusesPagesWithoutSeparator) {
  const PageFeatures one = page(2, 2), two = page(2, 2);
  const PageFeatures* pages[] = {&one, &two};
  const Result<Prompt> prompt = make_prompt(std::vector<int32_t>{kImage, kImage}, pages, kImage);
  EXPECT_EQ(prompt.status().code(), StatusCode::kRefused);
  EXPECT_THAT(prompt.status().message(), ::testing::HasSubstr("page 1 has 1 features, but the prompt has 2"));
}

TEST_F(PromptTest, RefusesTooFewAndTooManyPages) {
  const PageFeatures one = page(2, 2);
  const PageFeatures* pages[] = {&one};
  EXPECT_THAT(make_prompt(std::vector<int32_t>{kImage, 1}, {}, kImage).status().message(),
              ::testing::HasSubstr("more than the 0 pages"));
  EXPECT_THAT(make_prompt(std::vector<int32_t>{1}, pages, kImage).status().message(),
              ::testing::HasSubstr("1 pages were given"));
}

}  // namespace
}  // namespace glyph
