// Pages in one pass or one by one: the same features in the same order, whatever their shapes.
#include "engine/encoding.h"

#include <gtest/gtest.h>

#include "base/test_dir.h"
#include "engine/model.h"
#include "glyph/page_style.h"
#include "support/tiny_model.h"

namespace glyph {
namespace {

std::unique_ptr<Model> load_tiny() {
  const auto dir = fresh_test_dir();
  EXPECT_TRUE(write_tiny_model(dir).ok());
  return Model::load({.dir = dir, .device = DeviceChoice::kCpu, .precision = Precision::kF32}).value();
}

// Some pages, the last one of another shape.
Document some_pages() {
  Document document;
  document.name = "pages.txt";
  std::string text;
  for (int i = 0; i < 420; ++i) text += "Line " + std::to_string(i) + " of a text that is long enough to reach the right margin of its page.\n";
  document.blocks.push_back({Block::Kind::kText, text, {}});
  return document;
}

struct Encoded {
  std::vector<PageFeatures> pages;
  int steps = 0;
  double ms = 0;
};

Encoded encode(const Model& model, const PageBatches& batches) {
  const Document document = some_pages();
  DrawingOptions options{.preprocessor = model.preprocessor()};
  options.cut_patches = true;
  const auto drawing = Drawing::start(document, PageStyle::english(), options, {}).value();
  Encoding encoding(model.device(), model.vision(), batches, *drawing);
  Encoded result;
  while (encoding.step({}).value()) ++result.steps;
  result.ms = encoding.clock()->ms();
  result.pages = encoding.take_pages();
  EXPECT_EQ(result.pages.size(), drawing->totals().num_pages);
  return result;
}

float worst_difference(const PageFeatures& a, const PageFeatures& b) {
  EXPECT_EQ(a.grid, b.grid);
  float worst = 0;
  for (int64_t i = 0; i < a.values.shape().num_elements(); ++i) {
    worst = std::max(worst, std::abs(a.values.data<float>()[i] - b.values.data<float>()[i]));
  }
  return worst;
}

TEST(Encoding, OneByOneIsTheSameBitForBitEveryTime) {
  const auto model = load_tiny();
  const Encoded first = encode(*model, model->page_batches()), second = encode(*model, model->page_batches());
  ASSERT_GE(first.pages.size(), 5u);
  EXPECT_EQ(first.steps, static_cast<int>(first.pages.size()));  // a host encodes page by page
  for (size_t i = 0; i < first.pages.size(); ++i) EXPECT_EQ(worst_difference(first.pages[i], second.pages[i]), 0.0f);
  EXPECT_GT(first.ms, 0);
}

TEST(Encoding, SeveralAtOnceAreTheSameInTheSameOrder) {
  const auto model = load_tiny();
  const Encoded alone = encode(*model, model->page_batches());
  ASSERT_NE(alone.pages.back().grid, alone.pages.front().grid);
  const int64_t patches = alone.pages.front().grid.num_patches();
  const Encoded together = encode(*model, PageBatches::of_patches(4 * patches));
  ASSERT_EQ(together.pages.size(), alone.pages.size());
  EXPECT_LT(together.steps, alone.steps);
  EXPECT_GT(worst_difference(alone.pages[0], alone.pages[1]), 1e-2f);  // pages differ, or the order would not show
  for (size_t i = 0; i < alone.pages.size(); ++i) EXPECT_LT(worst_difference(alone.pages[i], together.pages[i]), 1e-4f) << i;
}

TEST(Encoding, PassesOfAPlanAreTheSame) {
  const auto model = load_tiny();
  const Encoded alone = encode(*model, model->page_batches());
  Plan plan;
  const PageShape shape{alone.pages.front().grid, 1};
  for (const auto& [pages, ms] : {std::pair<int64_t, double>{1, 8}, {2, 14}}) {
    plan.passes.push_back({.shape = shape, .num_pages = pages, .ms = ms});
  }
  const Encoded planned = encode(*model, PageBatches(DeviceKind::kCpu, plan));
  ASSERT_EQ(planned.pages.size(), alone.pages.size());
  for (size_t i = 0; i < alone.pages.size(); ++i) EXPECT_LT(worst_difference(alone.pages[i], planned.pages[i]), 1e-4f) << i;
}

TEST(Encoding, AStopEndsItBeforeTheNextPages) {
  const auto model = load_tiny();
  const Document document = some_pages();
  DrawingOptions options{.preprocessor = model->preprocessor()};
  options.cut_patches = true;
  std::stop_source source;
  const auto drawing = Drawing::start(document, PageStyle::english(), options, source.get_token()).value();
  const PageBatches batches = PageBatches::of_patches(1 << 20);
  Encoding encoding(model->device(), model->vision(), batches, *drawing);
  ASSERT_TRUE(encoding.step(source.get_token()).value());
  source.request_stop();
  EXPECT_EQ(encoding.step(source.get_token()).status().code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace glyph
