#include "answer/draft.h"

#include <gtest/gtest.h>

#include <random>

namespace glyph {
namespace {

using Ids = std::vector<int32_t>;

DraftIndexPtr index_of(Ids ids) { return std::make_shared<const DraftIndex>(std::move(ids)); }

TEST(Draft, GoesOnWhereTheLongestMatchStands) {
  const DraftIndexPtr texts[] = {index_of({1, 2, 3, 4, 9, 2, 3, 5, 6, 7, 8}), index_of({7, 9, 2, 3, 30, 31, 32})};
  EXPECT_EQ(draft(texts, Ids{2, 3}, 8), (Ids{4, 9}));               // the first of equals, no more than matched
  EXPECT_EQ(draft(texts, Ids{9, 2, 3}, 8), (Ids{5, 6, 7}));         // of the first text
  EXPECT_EQ(draft(texts, Ids{7, 9, 2, 3}, 8), (Ids{30, 31, 32}));   // longer in the second
  EXPECT_EQ(draft(texts, Ids{0, 1, 2, 3}, 2), (Ids{4, 9}));
  EXPECT_EQ(draft(texts, Ids{6, 7, 8}, 8), Ids{});                  // the end of the text
  EXPECT_EQ(draft(texts, Ids{3, 2}, 8), Ids{});
  EXPECT_EQ(draft(texts, Ids{2}, 8), Ids{});
  EXPECT_EQ(draft(texts, Ids{}, 8), Ids{});
  EXPECT_EQ(draft(texts, Ids{2, 3}, 0), Ids{});
  EXPECT_EQ(draft({}, Ids{2, 3}, 8), Ids{});
}

TEST(Draft, FindsWhatASearchOfTheWholeTextFinds) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    Ids text(random() % 200), answer(random() % 20);
    for (int32_t& id : text) id = static_cast<int32_t>(random() % 3);
    for (int32_t& id : answer) id = static_cast<int32_t>(random() % 3);
    size_t longest = 0, place = 0;
    for (size_t end = 1; end < text.size(); ++end) {
      size_t length = 0;
      while (length < std::min(end, answer.size()) && length < DraftIndex::kMaxMatch &&
             text[end - 1 - length] == answer[answer.size() - 1 - length]) {
        ++length;
      }
      if (length > longest) longest = length, place = end;
    }
    const DraftIndex index(text);
    const DraftIndex::Match match = index.find(answer);
    EXPECT_EQ(match.length, longest < 2 ? 0 : longest);
    if (longest >= 2) {
      EXPECT_EQ(match.following.size(), text.size() - place);
    }
  }
}

TEST(Draft, ATextOfOneWordCostsNoMoreThanItsLastPlaces) {
  const DraftIndex index(Ids(1000000, 5));
  const Ids answer(100, 5);
  size_t total = 0;
  for (int i = 0; i < 1000; ++i) total += index.find(answer).length;  // a search of all places would take hours
  EXPECT_EQ(total, 1000 * DraftIndex::kMaxMatch);
}

}  // namespace
}  // namespace glyph
