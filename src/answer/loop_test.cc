#include "answer/loop.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace glyph {
namespace {

// How many of the tokens are taken before a loop is seen; -1 when none is.
int64_t seen_after(const std::vector<int32_t>& ids) {
  LoopDetector loop;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (loop.push(ids[i])) return static_cast<int64_t>(i) + 1;
  }
  return -1;
}

std::vector<int32_t> repeat(const std::vector<int32_t>& block, int times) {
  std::vector<int32_t> ids;
  for (int i = 0; i < times; ++i) ids.insert(ids.end(), block.begin(), block.end());
  return ids;
}

std::vector<int32_t> random_ids(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % 4096);
  return ids;
}

TEST(LoopDetector, SeesBlocksOfManyLengths) {
  for (const int period : {1, 2, 7, 80, 128, 200, 512}) {
    std::vector<int32_t> ids = random_ids(1000, 1);
    const std::vector<int32_t> tail = repeat(random_ids(static_cast<size_t>(period), 2), 2 + std::max(2, 300 / period));
    ids.insert(ids.end(), tail.begin(), tail.end());
    EXPECT_EQ(seen_after(ids), 1000 + period + std::max(LoopDetector::kLeastLength, 2 * period)) << period;
  }
}

TEST(LoopDetector, LetsTextsRepeatThemselves) {
  EXPECT_EQ(seen_after(random_ids(20000, 3)), -1);
  EXPECT_EQ(seen_after(repeat(random_ids(200, 4), 2)), -1);  // a paragraph twice
  EXPECT_EQ(seen_after(repeat({5}, 200)), -1);               // a ruler
  EXPECT_EQ(seen_after(repeat(random_ids(600, 5), 5)), -1);  // longer than is looked for
  std::vector<int32_t> almost;  // rows of a table whose numbers count
  for (int32_t i = 0; i < 500; ++i) almost.insert(almost.end(), {7, 8, 9, 1000 + i, 10});
  EXPECT_EQ(seen_after(almost), -1);
}

TEST(LoopDetector, ForgetsALoopThatEnded) {
  std::vector<int32_t> ids = repeat(random_ids(50, 6), 5);
  const std::vector<int32_t> other = random_ids(700, 7), again = repeat(random_ids(50, 6), 5);
  ids.insert(ids.end(), other.begin(), other.end());
  ids.insert(ids.end(), again.begin(), again.end());
  EXPECT_EQ(seen_after(ids), -1);
}

}  // namespace
}  // namespace glyph
